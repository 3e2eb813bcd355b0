//! Budgets, as people and scripts see them.

use jiff::Timestamp;
use serde::Serialize;
use spillway_core::spending::BudgetPeriod;
use spillway_engine::{BudgetScope, BudgetStanding, BudgetState};

use super::{time_text, usd, usd_text};
use crate::output::{Field, Lines, Page, Rows, Tone, View};

/// One budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetRow {
    /// Its name.
    pub budget: String,
    /// `everything`, `queue` or `share`.
    pub scope: &'static str,
    /// Its queue, if it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Its share, if it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// How long it is for.
    pub per: BudgetPeriod,
    /// How much may be spent in that time.
    pub amount_usd: f64,
    /// How much has been.
    pub spent_usd: f64,
    /// How much still may be.
    pub left_usd: f64,
    /// `ok`, `warning` or `stopped`.
    pub state: BudgetState,
    /// From which part on it is a warning, in percent.
    pub warn_percent: u32,
    /// When its period began.
    pub since: Timestamp,
    /// When the next begins.
    pub resets_at: Timestamp,
    /// How it stands, in a line.
    #[serde(skip)]
    pub(crate) says: String,
    #[serde(skip)]
    texts: [String; 4],
}

impl From<&BudgetStanding> for BudgetRow {
    fn from(standing: &BudgetStanding) -> Self {
        let BudgetStanding { rules, from, resets_at, spent } = standing;
        let (scope, share) = match &rules.scope {
            BudgetScope::Everything => ("everything", None),
            BudgetScope::Queue { .. } => ("queue", None),
            BudgetScope::Share { share, .. } => ("share", Some(share.to_string())),
        };
        let left = standing.left();
        Self {
            budget: rules.name.to_string(),
            scope,
            queue: rules.scope.queue().map(ToString::to_string),
            share,
            per: rules.period,
            amount_usd: usd(rules.amount),
            spent_usd: usd(*spent),
            left_usd: usd(left),
            state: standing.state(),
            warn_percent: rules.warn_percent,
            since: *from,
            resets_at: *resets_at,
            says: sentence(standing),
            texts: [
                rules.scope.to_string(),
                usd_text(rules.amount),
                usd_text(*spent),
                usd_text(left),
            ],
        }
    }
}

/// How it is shown.
pub(crate) const fn tone(state: BudgetState) -> Tone {
    match state {
        BudgetState::Ok => Tone::Good,
        BudgetState::Warning => Tone::Warning,
        BudgetState::Stopped => Tone::Bad,
    }
}

/// What is said of one in a line.
pub(crate) fn sentence(standing: &BudgetStanding) -> String {
    let BudgetStanding { rules, resets_at, spent, .. } = standing;
    let (scope, period) = (&rules.scope, rules.period);
    let so_far = format!("{spent} of {} spent this {period} ({scope})", rules.amount);
    let next = time_text(*resets_at);
    match standing.state() {
        BudgetState::Ok => so_far,
        BudgetState::Warning => format!("{so_far}; the next {period} begins {next}"),
        BudgetState::Stopped => {
            format!("{so_far}; nothing of it starts before the next {period}, {next}")
        }
    }
}

/// What to do about one that is spent, or will be.
pub(crate) fn remedy(standing: &BudgetStanding) -> String {
    let by = match &standing.rules.scope {
        BudgetScope::Everything => "spillway cost --by day,queue --since 7d",
        BudgetScope::Queue { .. } | BudgetScope::Share { .. } => {
            "spillway cost --by day,queue,share --since 7d"
        }
    };
    format!(
        "`{by}` says what it went to; raise `amount` of the budget {} and restart the dispatcher, or let it wait",
        standing.rules.name
    )
}

/// The answer of `budgets`.
#[derive(Debug, Serialize)]
pub struct BudgetList {
    /// When it was asked.
    pub as_of: Timestamp,
    /// All there are, in the order of the configuration.
    pub budgets: Vec<BudgetRow>,
}

impl View for BudgetList {
    fn page(&self, page: &mut Page) {
        let header = ["BUDGET", "SCOPE", "PER", "AMOUNT", "SPENT", "LEFT", "STATE", "RESETS"];
        let mut table = Rows::new(&header);
        for row in &self.budgets {
            let [scope, amount, spent, left] = &row.texts;
            table.row([
                row.budget.as_str().into(),
                scope.as_str().into(),
                row.per.as_str().into(),
                amount.as_str().into(),
                spent.as_str().into(),
                left.as_str().into(),
                Field::toned(row.state.as_str(), tone(row.state)),
                time_text(row.resets_at).into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.budgets.iter().try_for_each(|row| lines.item(row))
    }
}
