//! Random budgets, what has to be approved, and a surge breaker that opens for little.

use jiff::SignedDuration;
use spillway_core::spending::BudgetPeriod;
use spillway_core::{MicroUsd, MicroUsdPerHour};
use spillway_engine::{BudgetRules, BudgetScope, EngineConfig};

use super::pick;
use crate::dice::Dice;
use crate::setting::{Chance, Spread};

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

/// In one scenario of five what is dear has to be approved; somebody always does, sooner or later.
pub(super) fn random_approval(dice: Dice, engine: &mut EngineConfig) -> Option<Spread> {
    let mut roll = dice.roll("random approval", &"");
    if !roll.happens(Chance::percent(20)) {
        return None;
    }
    let over = pick(&mut roll, &[0, 100_000, 1_000_000]);
    engine.limits.approve_over = Some(MicroUsdPerHour::new(over));
    Some(Spread::of_secs(0, pick(&mut roll, &[1, 90, 1800])))
}
