//! The budgets of a scenario's TOML, and the floor of its surge breaker.

use serde::Deserialize;
use spillway_core::spending::BudgetPeriod;
use spillway_core::{BudgetName, MicroUsd, QueueName, ShareId};
use spillway_engine::config::WARN_PERCENT_DEFAULT;
use spillway_engine::{BudgetRules, BudgetScope, EngineConfig};

use crate::scenario::ScenarioError;

/// A budget: of everything, of a queue, or of a share of one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetFile {
    name: BudgetName,
    amount: String,
    period: BudgetPeriod,
    queue: Option<QueueName>,
    share: Option<ShareId>,
    warn: Option<u32>,
}

fn dollars(key: &str, text: &str) -> Result<MicroUsd, ScenarioError> {
    text.parse().map_err(|error| ScenarioError::invalid(format!("engine.{key}: {error}")))
}

impl BudgetFile {
    fn resolve(self) -> Result<BudgetRules, ScenarioError> {
        let scope = match (self.queue, self.share) {
            (None, None) => BudgetScope::Everything,
            (Some(queue), None) => BudgetScope::Queue { queue },
            (Some(queue), Some(share)) => BudgetScope::Share { queue, share },
            (None, Some(share)) => {
                let text = format!("engine.budgets: share {share} is of no queue");
                return Err(ScenarioError::invalid(text));
            }
        };
        Ok(BudgetRules {
            amount: dollars("budgets", &self.amount)?,
            name: self.name,
            period: self.period,
            scope,
            warn_percent: self.warn.unwrap_or(WARN_PERCENT_DEFAULT),
        })
    }
}

/// Puts them into the configuration.
pub(super) fn resolve(
    config: &mut EngineConfig,
    budgets: Vec<BudgetFile>,
    surge_floor: Option<&str>,
) -> Result<(), ScenarioError> {
    config.budgets = budgets.into_iter().map(BudgetFile::resolve).collect::<Result<_, _>>()?;
    if let Some(text) = surge_floor {
        config.surge_floor = Some(dollars("surge_floor", text)?);
    }
    Ok(())
}
