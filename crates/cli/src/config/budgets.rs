//! Budgets, as `[[budget]]`: how much may be spent in a day, a week or a month, altogether, by a queue or by a share of one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillway_core::spending::BudgetPeriod;
use spillway_core::{BudgetName, QueueName, ShareId};
use spillway_engine::config::WARN_PERCENT_DEFAULT;
use spillway_engine::{BudgetRules, BudgetScope};

use super::values::{Count, Dollars};
use super::{Config, ConfigError};

/// How much may be spent in a stretch of the calendar (UTC). When so much is spent, nothing of its scope starts and nothing is bought for
/// it before the next begins; what runs goes on to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct BudgetConfig {
    /// Its name.
    #[schemars(with = "String")]
    pub name: BudgetName,
    /// Dollars.
    pub amount: Dollars,
    /// `day`, `week` (from Monday) or `month`.
    #[schemars(with = "String")]
    pub per: BudgetPeriod,
    /// Whose: what the attempts of this queue's jobs carry. Unsaid, all that the hosts cost, idle and booting ones too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub queue: Option<QueueName>,
    /// Of that queue only what this share's attempts carry (`shareIdentifier`; `default` are the jobs that name none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub share: Option<ShareId>,
    /// `doctor` and `budgets` warn from this part of it on, in percent. Unsaid, 80.
    #[serde(default = "warn_default")]
    pub warn_percent: Count,
}

const fn warn_default() -> Count {
    Count(WARN_PERCENT_DEFAULT)
}

impl BudgetConfig {
    pub(super) fn rules(&self) -> BudgetRules {
        let scope = match (self.queue.clone(), self.share.clone()) {
            (Some(queue), Some(share)) => BudgetScope::Share { queue, share },
            (Some(queue), None) => BudgetScope::Queue { queue },
            // A share of no queue is refused before.
            (None, _) => BudgetScope::Everything,
        };
        BudgetRules {
            name: self.name.clone(),
            amount: self.amount.0,
            period: self.per,
            scope,
            warn_percent: self.warn_percent.0,
        }
    }
}

/// Budgets are named once, and of queues that there are.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let wrong = |detail: String| Err(ConfigError::Inconsistent { key: "budget", detail });
    for (ord, budget) in config.budget.iter().enumerate() {
        let name = &budget.name;
        if config.budget.iter().take(ord).any(|other| other.name == *name) {
            return wrong(format!("there are two of the name {name}"));
        }
        if let Some(queue) = budget.queue.as_ref().filter(|of| !config.queues.contains(of)) {
            return wrong(format!("{name} is of the queue {queue}, which is not one of `queues`"));
        }
        if let (None, Some(share)) = (&budget.queue, &budget.share) {
            return wrong(format!(
                "{name} is of the share {share} and does not say of which queue"
            ));
        }
        if !(1..=100).contains(&budget.warn_percent.0) {
            return wrong(format!("{name}: warn-percent is 1 to 100"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets(text: &str) -> Result<Vec<BudgetRules>, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        check(&config).map_err(|error| error.to_string())?;
        Ok(config.engine().budgets)
    }

    #[test]
    fn a_budget_is_of_everything_a_queue_or_a_share() {
        let budgets = budgets(
            "queues = ['q']\n\
             [[budget]]\nname = 'all'\namount = '$100'\nper = 'month'\n\
             [[budget]]\nname = 'q'\namount = 12.5\nper = 'day'\nqueue = 'q'\nwarn-percent = 50\n\
             [[budget]]\nname = 'team'\namount = '$1'\nper = 'week'\nqueue = 'q'\nshare = 'teamA'\n",
        )
        .unwrap();

        let told: Vec<String> = budgets
            .iter()
            .map(|b| format!("{} {} {} {} {}", b.name, b.scope, b.amount, b.period, b.warn_at()))
            .collect();
        assert_eq!(
            told,
            [
                "all everything $100.00 month $80.00",
                "q queue q $12.50 day $6.25",
                "team share teamA of queue q $1.00 week $0.80",
            ]
        );
    }

    #[test]
    fn a_budget_that_could_mean_nothing_is_a_mistake() {
        let of = |more: &str| {
            let text = format!("[[budget]]\nname = 'a'\namount = '$1'\nper = 'day'\n{more}\n");
            budgets(&text).unwrap_err()
        };

        assert!(of("queue = 'nightly'").contains("not one of `queues`"));
        assert!(of("share = 'teamA'").contains("of which queue"));
        assert!(of("warn-percent = 101").contains("1 to 100"));
        assert!(
            of("[[budget]]\nname = 'a'\namount = '$2'\nper = 'day'").contains("two of the name")
        );
        assert!(budgets("[[budget]]\nname = 'a'\namount = '$1'\nper = 'year'\n").is_err());
    }
}
