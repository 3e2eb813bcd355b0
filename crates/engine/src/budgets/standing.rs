//! Budgets as people look at them: what is spent, what is left, who is stopped and until when. Decides nothing.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use spillway_core::spending::BudgetPeriod;
use spillway_core::{BudgetName, MicroUsd};

use super::Budget;
use crate::config::{BudgetRules, BudgetScope};
use crate::engine::Engine;

/// A budget that is spent, as those are told whom it stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpentBudget {
    /// Its name.
    pub name: BudgetName,
    /// Whom it stops.
    pub scope: BudgetScope,
    /// How long it is for.
    pub period: BudgetPeriod,
    /// How much may be spent in that time.
    pub amount: MicroUsd,
    /// How much has been.
    pub spent: MicroUsd,
    /// When the next period begins.
    pub resets_at: Timestamp,
}

impl fmt::Display for SpentBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, scope, period, amount, spent, resets_at } = self;
        write!(
            f,
            "budget {name} ({scope}) is spent: {spent} of {amount} this {period}; nothing of it starts before {resets_at:.0}"
        )
    }
}

/// How far a budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BudgetState {
    /// There is enough left.
    Ok,
    /// More is spent than its owner wants to hear of.
    Warning,
    /// All of it is: nothing of its scope starts until the next period.
    Stopped,
}

impl BudgetState {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Stopped => "stopped",
        }
    }
}

/// A budget, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetStanding {
    /// What the configuration says of it.
    pub rules: BudgetRules,
    /// When its period began.
    pub from: Timestamp,
    /// When the next begins.
    pub resets_at: Timestamp,
    /// What has been spent in it, running work included.
    pub spent: MicroUsd,
}

impl BudgetStanding {
    /// How much may still be spent.
    pub fn left(&self) -> MicroUsd {
        self.rules.amount.saturating_sub(self.spent)
    }

    /// How far it is spent.
    pub fn state(&self) -> BudgetState {
        if self.rules.amount <= self.spent {
            BudgetState::Stopped
        } else if self.rules.warn_at() <= self.spent {
            BudgetState::Warning
        } else {
            BudgetState::Ok
        }
    }

    /// What is spent of it, 1 is all. Of a budget of nothing all is.
    pub fn spent_ratio(&self) -> f64 {
        if self.rules.amount == MicroUsd::ZERO {
            return 1.0;
        }
        self.spent.as_usd_f64() / self.rules.amount.as_usd_f64()
    }
}

impl Engine {
    /// All budgets, in the order of the configuration, as they stand at this time.
    pub fn budget_standings(&self, now: Timestamp) -> Vec<BudgetStanding> {
        let standing = |budget: &Budget| {
            let mut then = Budget::new(budget.rules.clone());
            then.begin(now, &self.budgets.books, &self.budgets.live);
            let (spent, _) = then.look(now, &self.fleet);
            BudgetStanding { rules: then.rules, from: then.from, resets_at: then.until, spent }
        };
        self.budgets.all.iter().map(standing).collect()
    }
}
