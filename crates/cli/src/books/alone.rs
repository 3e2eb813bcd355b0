//! What jobs would have cost on a machine each: bought for the job, ended with it. Of a comparison only: nothing is ever paid by it.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use spillway_core::cost::BILLED_MIN;
use spillway_core::{
    Attempt, Catalog, Host, HostId, Job, MicroUsd, MicroUsdPerHour, Resources, VariantOrd,
};
use spillway_engine::costs::{CostKind, Posting};

/// Prices of machines, and how long they boot.
#[derive(Debug)]
pub(crate) struct Machines {
    catalog: Catalog,
    boot: SignedDuration,
    /// The cheapest that a kind of job may have: thousands of jobs are of few kinds.
    known: RefCell<HashMap<Kind, Option<MicroUsdPerHour>>>,
}

/// What decides which machine is the cheapest for a job: what it needs, and what it insists on, as words.
type Kind = (Resources, String);

/// From launch to registration, where the ledger has no host that did.
const BOOT_DEFAULT: SignedDuration = SignedDuration::from_secs(60);

impl Machines {
    /// They boot as long as `hosts` did in the mean.
    pub(super) fn new(catalog: Catalog, hosts: &[Host]) -> Self {
        let booted = |host: &Host| {
            let launched_at = host.instance()?.launched_at;
            Some(host.registered_at?.duration_since(launched_at).max(SignedDuration::ZERO))
        };
        let boots: Vec<SignedDuration> = hosts.iter().filter_map(booted).collect();
        let sum = boots.iter().fold(SignedDuration::ZERO, |sum, boot| sum.saturating_add(*boot));
        let boot = i32::try_from(boots.len()).ok().and_then(|n| sum.checked_div(n));
        Self { catalog, boot: boot.unwrap_or(BOOT_DEFAULT), known: RefCell::default() }
    }

    /// The price of the cheapest that holds a job alone, in whichever market it may use.
    fn price(&self, job: &Job, variant: VariantOrd) -> Option<MicroUsdPerHour> {
        let (need, spec) = (job.need_as(variant), job.spec.as_variant(variant));
        let insists = format!("{:?} {:?} {}", spec.arch, spec.gpu_kinds, spec.market);
        let find = || {
            let holds = |offering: &&spillway_core::Offering| {
                spec.allows(offering.traits()) && need.fits(&offering.capacity)
            };
            let offerings = self.catalog.offerings().iter();
            offerings.filter(holds).map(|offering| offering.price).min()
        };
        *self.known.borrow_mut().entry((need, insists)).or_insert_with(find)
    }

    /// What the attempts of a job would have cost that ended by themselves or run: what an interruption took would not have been
    /// begun twice. With the host each ran on; None instead of one for which no machine is large enough.
    pub(super) fn postings(
        &self,
        job: &Job,
        now: Timestamp,
        owner: usize,
    ) -> Vec<Option<(HostId, Posting<usize>)>> {
        let is_own = |attempt: &&Attempt| {
            !attempt.failure.is_some_and(spillway_core::FailureCategory::is_infrastructure)
        };
        let ended = job.attempts.iter().filter(is_own);
        let ended = ended.map(|a| (a.host, a.variant, a.placed_at, a.stopped_at));
        let live = job.state.live_attempt();
        let live = live.map(|a| (a.host, job.variant(), a.placed_at, now.max(a.placed_at)));
        let posting = |(host, variant, from, until): (_, _, Timestamp, Timestamp)| {
            let paid = until.duration_since(from).saturating_add(self.boot).max(BILLED_MIN);
            let cost = self.price(job, variant)?.cost_of(paid);
            let (kind, on_demand) = (CostKind::Work, MicroUsd::ZERO);
            Some((
                host,
                Posting {
                    kind,
                    owner: Some(owner),
                    from,
                    until,
                    cost,
                    on_demand,
                    extras: MicroUsd::ZERO,
                },
            ))
        };
        ended.chain(live).map(posting).collect()
    }
}
