//! Random budgets, and a surge breaker that opens for little.

use jiff::SignedDuration;
use spillway_core::MicroUsd;
use spillway_core::spending::BudgetPeriod;
use spillway_engine::{BudgetRules, BudgetScope, EngineConfig};

use super::pick;
use crate::dice::Dice;
use crate::setting::Chance;

/// By when all must be at rest where each day has its budget: a few dollars of work at some cents a day.
pub(super) const LIMIT: SignedDuration = SignedDuration::from_hours(60 * 24);

/// One scenario in six has budgets, small enough to be spent; one in ten takes little that is paid in vain for a surge. Each has dice of
/// its own: the others are as they would be without.
pub(super) fn random(dice: Dice, engine: &mut EngineConfig) {
    let mut roll = dice.roll("random budgets", &"");
    if roll.happens(Chance::percent(17)) {
        let queue = engine.queues.last().cloned();
        let shared = queue.clone().zip("teamA".parse().ok());
        let scopes = [
            Some(BudgetScope::Everything),
            queue.map(|queue| BudgetScope::Queue { queue }),
            shared.map(|(queue, share)| BudgetScope::Share { queue, share }),
        ];
        for (ord, scope) in scopes.into_iter().enumerate() {
            let (Some(scope), true) = (scope, roll.happens(Chance::percent(50))) else { continue };
            let cents = pick(&mut roll, &[20, 50, 200]);
            engine.budgets.extend(format!("budget-{ord}").parse().map(|name| BudgetRules {
                name,
                amount: MicroUsd::new(cents * 10_000),
                period: BudgetPeriod::Day,
                scope,
                warn_percent: 80,
            }));
        }
    }
    if dice.roll("random surge", &"").happens(Chance::percent(10)) {
        engine.surge_floor = Some(MicroUsd::new(10_000));
    }
}
