//! The books in the end: what every host's bill is divided into sums to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use spillway_core::MicroUsd;
use spillway_core::id::HostId;
use spillway_engine::costs::{self, Held};

use super::{Invariants, Moment};
use crate::ledger::MemoryLedger;

impl Invariants {
    /// Whether the books are right. Looks at every job and every host there ever was.
    pub fn check_books(&mut self, event: u64, now: Timestamp, ledger: &MemoryLedger) {
        let moment = Moment { event, now };
        let mut held: BTreeMap<HostId, Vec<Held<()>>> = BTreeMap::new();
        for job in ledger.all_jobs() {
            for (host, place) in costs::held(&job, |id| ledger.get_host(id), now, ()) {
                held.entry(host).or_default().push(place);
            }
        }
        for host in ledger.all_hosts() {
            let places = held.remove(&host.id).unwrap_or_default();
            let parts: MicroUsd = costs::postings(host, &places, now).iter().map(|p| p.cost).sum();
            let bill = host.bill(now);
            if parts != bill {
                let text = format!("the parts of {}'s bill sum to {parts}, not to {bill}", host.id);
                self.violate("C1", moment, text);
            }
        }
        if let Some(host) = held.keys().next() {
            self.violate(
                "C1",
                moment,
                format!("attempts held a place on {host}, which is nowhere"),
            );
        }
    }
}
