//! Budgets: how much may be spent in a day, a week or a month, by everybody, a queue or one of its shares.

use std::fmt;

use serde::{Deserialize, Serialize};
use spillway_core::spending::BudgetPeriod;
use spillway_core::{BudgetName, MicroUsd, Payer, QueueName, ShareId};

/// A warning is given when so much of a budget is spent, in percent, unless it says otherwise.
pub const WARN_PERCENT_DEFAULT: u32 = 80;

/// Whose spending a budget counts, and whom it stops.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum BudgetScope {
    /// All that the hosts cost, whatever they do.
    Everything,
    /// What the attempts of a queue's jobs carry.
    Queue {
        /// The queue.
        queue: QueueName,
    },
    /// What the attempts of one of its shares carry.
    Share {
        /// The queue.
        queue: QueueName,
        /// The share.
        share: ShareId,
    },
}

impl BudgetScope {
    /// Whether it stops the jobs of this share.
    pub fn stops(&self, of_queue: &QueueName, of_share: &ShareId) -> bool {
        match self {
            Self::Everything => true,
            Self::Queue { queue } => queue == of_queue,
            Self::Share { queue, share } => queue == of_queue && share == of_share,
        }
    }

    /// Whether what is booked to this payer counts.
    pub fn counts(&self, payer: &Payer) -> bool {
        match (self, payer) {
            (Self::Everything, Payer::All) => true,
            (Self::Queue { .. } | Self::Share { .. }, Payer::Share { queue, share }) => {
                self.stops(queue, share)
            }
            (Self::Everything, Payer::Share { .. })
            | (Self::Queue { .. } | Self::Share { .. }, Payer::All) => false,
        }
    }

    /// Its queue, if it has one.
    pub const fn queue(&self) -> Option<&QueueName> {
        match self {
            Self::Everything => None,
            Self::Queue { queue } | Self::Share { queue, .. } => Some(queue),
        }
    }
}

impl fmt::Display for BudgetScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Queue { queue } => write!(f, "queue {queue}"),
            Self::Share { queue, share } => write!(f, "share {share} of queue {queue}"),
        }
    }
}

/// A budget, as the operator sets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetRules {
    /// Its name.
    pub name: BudgetName,
    /// How much may be spent in a period. When so much is spent nothing more is started.
    pub amount: MicroUsd,
    /// How long it is for.
    pub period: BudgetPeriod,
    /// Whose spending.
    pub scope: BudgetScope,
    /// A warning is given when so much of it is spent, in percent.
    pub warn_percent: u32,
}

impl BudgetRules {
    /// When a warning is due: at so much.
    pub fn warn_at(&self) -> MicroUsd {
        let part = u128::from(self.amount.get()) * u128::from(self.warn_percent) / 100;
        MicroUsd::new(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_counts_what_is_booked_to_those_it_stops() {
        let (queue, team): (QueueName, ShareId) = ("q".parse().unwrap(), "team".parse().unwrap());
        let other: QueueName = "other".parse().unwrap();
        let payer = Payer::Share { queue: queue.clone(), share: team.clone() };
        let of_queue = BudgetScope::Queue { queue: queue.clone() };
        let of_team = BudgetScope::Share { queue: queue.clone(), share: team.clone() };

        assert!(of_queue.counts(&payer) && of_team.counts(&payer));
        assert!(!of_queue.counts(&Payer::All) && !BudgetScope::Everything.counts(&payer));
        assert!(!of_team.stops(&queue, &ShareId::default()) && !of_team.stops(&other, &team));
        assert!(BudgetScope::Everything.stops(&other, &team));
        assert!(BudgetScope::Everything.counts(&Payer::All));
    }
}
