//! The smallest changes that would start a job now: what to ask for less of, which limit to raise by how much, what to
//! allow; each with the host it would start on and what that costs.

use std::collections::BTreeMap;

use spillway_core::plan::{DemandKey, FilterKind, FilterSet, HostView, LimitKind};
use spillway_core::{
    Arch, CpuUnits, GpuKind, HostId, HostTraits, Market, MiB, MicroUsdPerHour, Offering, PoolId,
    Quota,
};

use super::{Obstacle, obstacle};
use crate::explain::Question;
use crate::explain::groups::cheapest;

/// What would have to be otherwise. Amounts are the least that do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The job asks for so much memory less.
    LessMemory(MiB),
    /// The job asks for so much CPU less.
    LessCpu(CpuUnits),
    /// The job may run in this market too.
    Market(Market),
    /// The job may run on this architecture too.
    Arch(Arch),
    /// The job accepts this kind of GPU too.
    GpuKind(GpuKind),
    /// These limits are raised by so much; nothing where one is wide enough.
    Raise {
        /// `limits.max-hosts`.
        hosts: u32,
        /// `limits.max-vcpus`.
        cpu: CpuUnits,
        /// `limits.max-price-per-hour`, or `limits.approve-over`: which of them `price_limit` says.
        price: MicroUsdPerHour,
        /// The limit that `price` is of.
        price_limit: LimitKind,
        /// One of `limits.vcpu-quotas`.
        quota: Option<(Quota, CpuUnits)>,
    },
    /// Hosts may be this large.
    HostVcpus(CpuUnits),
    /// A list allows this pool too.
    Allow(FilterKind),
}

/// Where the job would start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Onto {
    /// On a host we have, which is up: at once and for no money more.
    Host(HostId),
    /// On a new host of this pool.
    Pool(PoolId),
}

/// A change, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What would have to be otherwise.
    pub change: Change,
    /// Where the job would start.
    pub onto: Onto,
    /// What the host costs that would be bought; nothing where it is there.
    pub price: MicroUsdPerHour,
    /// What the cheapest host costs that can be bought for it as things are.
    pub instead_of: Option<MicroUsdPerHour>,
}

/// A job is not told to do with less than this part of what it asks for.
const LEAST_PART: (u32, u32) = (3, 4);

/// The best of each kind of change, those first that cost least.
pub fn ways(question: &Question, key: &DemandKey) -> Vec<Way> {
    let now = cheapest(question, key).filter(|c| is_affordable(question, &c.pool));
    let instead_of = now.map(|now| now.price);
    let mut best: BTreeMap<u8, (MicroUsdPerHour, Change, Onto)> = BTreeMap::new();
    let mut offer = |change: Change, onto: Onto, price: MicroUsdPerHour| {
        let candidate = (price, change, onto);
        let kind = kind(&candidate.1);
        match best.get(&kind) {
            Some(known) if *known <= candidate => {}
            Some(_) | None => {
                best.insert(kind, candidate);
            }
        }
    };
    for host in question.input.hosts.iter().filter(|host| host.ready) {
        if let Some(change) = onto_host(key, host) {
            offer(change, Onto::Host(host.id), MicroUsdPerHour::ZERO);
        }
    }
    for (offering, left_out) in question.offered.iter() {
        if let Some(change) = onto_offering(question, key, offering, left_out) {
            let is_worth_it = instead_of.is_none_or(|now| offering.price < now);
            if is_worth_it {
                offer(change, Onto::Pool(offering.pool.clone()), offering.price);
            }
        }
    }
    let mut ways: Vec<Way> = best
        .into_values()
        .map(|(price, change, onto)| Way { change, onto, price, instead_of })
        .collect();
    ways.sort_by(|a, b| (a.price, &a.change).cmp(&(b.price, &b.change)));
    ways
}

const fn kind(change: &Change) -> u8 {
    match change {
        Change::LessMemory(_) => 0,
        Change::LessCpu(_) => 1,
        Change::Market(_) => 2,
        Change::Arch(_) => 3,
        Change::GpuKind(_) => 10,
        Change::Raise { .. } => 4,
        Change::HostVcpus(_) => 5,
        Change::Allow(FilterKind::InstanceTypes) => 6,
        Change::Allow(FilterKind::Zones) => 7,
        Change::Allow(FilterKind::Markets) => 8,
        Change::Allow(FilterKind::Architectures) => 9,
    }
}

fn is_affordable(question: &Question, pool: &PoolId) -> bool {
    let offering = question.input.catalog.get(pool);
    offering.is_some_and(|offering| super::over_limit(question, offering).is_none())
}

/// The one change with which a job fits on a host that is up; none if it fits as it is, or not even then.
fn onto_host(key: &DemandKey, host: &HostView) -> Option<Change> {
    let fits = key.need.fits(&host.free);
    if key.allows(host.traits()) {
        return if fits { None } else { with_less(key, host.free) };
    }
    if !fits {
        return None;
    }
    other_trait(key, host.traits())
}

/// The one change with which this offering would do; none if it does as it is, or not even then.
fn onto_offering(
    question: &Question,
    key: &DemandKey,
    offering: &Offering,
    left_out: FilterSet,
) -> Option<Change> {
    let change = match obstacle(question, key, offering, left_out)? {
        Obstacle::Arch | Obstacle::Market | Obstacle::GpuKind => {
            other_trait(key, offering.traits())?
        }
        Obstacle::TooSmall(_) => with_less(key, offering.capacity)?,
        Obstacle::LeftOut(kind) => Change::Allow(kind),
        Obstacle::OverHostSize => Change::HostVcpus(offering.capacity.cpu),
        Obstacle::Cooling | Obstacle::OverLimit(LimitKind::Mix(_)) => return None,
        Obstacle::OverLimit(_) => raise(question, offering),
    };
    remains(question, key, offering, left_out, &change).then_some(change)
}

/// Whether nothing else is in the way once the change is made.
fn remains(
    question: &Question,
    key: &DemandKey,
    offering: &Offering,
    left_out: FilterSet,
    change: &Change,
) -> bool {
    let mut key = *key;
    let mut left_out = left_out;
    let mut after = None;
    match change {
        Change::LessMemory(_) | Change::LessCpu(_) => key.need = offering.capacity,
        Change::Market(_) => key.market = spillway_core::MarketRule::Any,
        Change::Arch(_) => key.arch = None,
        Change::GpuKind(kind) => key.gpu_kinds = key.gpu_kinds.with(*kind),
        Change::Allow(kind) => left_out = left_out.without(*kind),
        Change::HostVcpus(cpu) => {
            let mut question = question.clone();
            question.policy.host_cpu_max = Some(*cpu);
            after = Some(question);
        }
        Change::Raise { .. } => return true,
    }
    let question = after.as_ref().unwrap_or(question);
    obstacle(question, &key, offering, left_out).is_none()
}

/// The one thing the job would have to accept to run on such a host.
fn other_trait(key: &DemandKey, host: HostTraits) -> Option<Change> {
    let is_arch = key.arch.is_none_or(|wanted| wanted == host.arch);
    let (is_market, is_gpu) = (key.market.allows(host.market), key.gpu_kinds.allows(host.gpu));
    match (is_arch, is_market, is_gpu) {
        (true, false, true) => Some(Change::Market(host.market)),
        (false, true, true) => Some(Change::Arch(host.arch)),
        (true, true, false) => host.gpu.map(Change::GpuKind),
        (true | false, true | false, true | false) => None,
    }
}

/// What a job would have to ask for less, in one dimension, to fit into `room`.
fn with_less(key: &DemandKey, room: spillway_core::Resources) -> Option<Change> {
    let need = key.need;
    let is_bearable = |least: u32, asked: u32| {
        u64::from(asked) * u64::from(LEAST_PART.0) <= u64::from(least) * u64::from(LEAST_PART.1)
    };
    let (cpu_fits, memory_fits) = (need.cpu <= room.cpu, need.memory <= room.memory);
    if room.gpus < need.gpus {
        return None;
    }
    match (cpu_fits, memory_fits) {
        (true, false) if is_bearable(room.memory.get(), need.memory.get()) => {
            Some(Change::LessMemory(MiB::new(need.memory.get() - room.memory.get())))
        }
        (false, true) if is_bearable(room.cpu.get(), need.cpu.get()) => {
            Some(Change::LessCpu(CpuUnits::new(need.cpu.get() - room.cpu.get())))
        }
        (true | false, true | false) => None,
    }
}

/// By how much the limits would have to be raised for one host of an offering.
fn raise(question: &Question, offering: &Offering) -> Change {
    let headroom = question.input.headroom;
    let cpu = headroom.cpu.map_or(0, |left| offering.capacity.cpu.get().saturating_sub(left.get()));
    let of_quota = |quota: Quota| {
        let left = headroom.quotas.get(quota)?;
        let more = offering.capacity.cpu.get().saturating_sub(left.get());
        (0 < more).then(|| (quota, CpuUnits::new(more)))
    };
    let price = headroom.price.map_or(0, |left| offering.price.get().saturating_sub(left.get()));
    Change::Raise {
        hosts: u32::from(headroom.hosts == Some(0)),
        cpu: CpuUnits::new(cpu),
        price: MicroUsdPerHour::new(price),
        price_limit: headroom.price_limit(),
        quota: Quota::of(&offering.pool).and_then(of_quota),
    }
}
