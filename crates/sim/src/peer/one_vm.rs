//! One machine per job: what a script that starts an instance, runs the job and shuts down does (`cfncluster`-less batch, many
//! "run on EC2" tools). Each job gets the cheapest host that holds it, in the market and architecture it may use.
//!
//! Kinder than such scripts: Spot wherever the job allows it, the cheapest zone, and the right type out of all on offer.

use super::draft::Draft;

pub(super) fn buy(draft: &mut Draft<'_>) {
    for at in 0..draft.groups.len() {
        let Some(group) = draft.groups.get(at) else { break };
        let holding = draft.offers.iter().filter(|offer| offer.holds(group));
        if let Some(cheapest) = holding.min_by_key(|offer| (offer.price, offer.at)).copied() {
            draft.buy(cheapest, &[(at, 1)], group.count);
        }
    }
}
