//! The bill of work that waits, from the planner's own question: for when jobs must have started and all must have ended.

use std::collections::BTreeMap;

use spillway_core::plan::DemandKey;
use spillway_core::{Catalog, CpuUnits, MicroUsd, MicroUsdPerHour, PoolId};

use crate::amount::Amount;
use crate::bill::host::Host;
use crate::bill::prices::Prices;
use crate::bill::search::search;
use crate::bill::world::{Clock, Group, World};
use crate::demand::{ClassSet, Shape, class_of};
use crate::headroom::CapSet;
use crate::prune::Offer;

/// The rules of time, in seconds from the launch, and the largest host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) boot: u32,
    pub(crate) billed_min: u32,
    /// No job starts later.
    pub(crate) start_by: u32,
    /// No job ends later.
    pub(crate) deadline: u32,
    pub(crate) host_cpu_max: Option<CpuUnits>,
}

/// What hosts are bought now, how long they work, and what that comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// How many hosts.
    pub n_hosts: u32,
    /// Their CPU together, in 1/1024 of a vCPU.
    pub cpu_units: u64,
    /// What they cost together while all of them run.
    pub price: MicroUsdPerHour,
    /// What they cost until each has ended its last job, rounded up.
    pub bill: MicroUsd,
    /// What any schedule by the same rules costs at least, proven.
    pub bound: MicroUsd,
    /// When the last job starts, in seconds from the launch.
    pub last_start_secs: u32,
    /// When jobs start, on average.
    pub mean_start_secs: u32,
    /// When the last job ends.
    pub last_end_secs: u32,
    /// The pools bought from.
    pub pools: BTreeMap<PoolId, u32>,
}

/// Why work has no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unschedulable {
    /// A job that nothing on offer holds.
    #[error("a job ({key}) fits nothing on offer")]
    FitsNothing {
        /// Which.
        key: DemandKey,
    },
    /// A job that ends too late even if it starts as soon as its host is up.
    #[error(
        "a job ({key}) ends after {end_secs} s at the earliest, {boot_secs} s of them to boot a host"
    )]
    TooLong {
        /// Which.
        key: DemandKey,
        /// Boot and duration.
        end_secs: u32,
        /// The boot.
        boot_secs: u32,
    },
}

/// Plans for the least bill of these groups, each with the seconds a job runs and how many there are.
pub(crate) fn schedule(
    jobs: &[(DemandKey, u32, u32)],
    catalog: &Catalog,
    is_cooling: &dyn Fn(&PoolId) -> bool,
    rules: &Rules,
) -> Result<Schedule, Unschedulable> {
    let world = world(jobs, catalog, is_cooling, rules)?;
    if world.shapes.is_empty() {
        return Ok(Schedule::default());
    }
    let prices = Prices::solve(&world);
    let hosts = search(&world, &prices);
    Ok(summary(&hosts, &world, catalog, prices.bound))
}

fn world(
    jobs: &[(DemandKey, u32, u32)],
    catalog: &Catalog,
    is_cooling: &dyn Fn(&PoolId) -> bool,
    rules: &Rules,
) -> Result<World, Unschedulable> {
    let (offers, file_indices) = offers(catalog, is_cooling, rules);
    let mut grouped: BTreeMap<(ClassSet, Amount), BTreeMap<u32, u32>> = BTreeMap::new();
    for (key, secs, count) in jobs {
        let (need, classes) = (Amount::of(&key.need), ClassSet::of(key));
        let holds = |o: &Offer| classes.has(o.class) && need.fits(&o.capacity);
        if !offers.iter().any(holds) {
            return Err(Unschedulable::FitsNothing { key: *key });
        }
        let end_secs = rules.boot.saturating_add(*secs);
        if rules.deadline < end_secs {
            return Err(Unschedulable::TooLong { key: *key, end_secs, boot_secs: rules.boot });
        }
        let of_secs = grouped.entry((classes, need)).or_default().entry(*secs).or_default();
        *of_secs = of_secs.saturating_add(*count);
    }
    let (mut shapes, mut groups) = (Vec::new(), Vec::new());
    for ((classes, need), by_secs) in grouped {
        let longest_first = by_secs.into_iter().rev();
        let group = |(secs, count)| Group {
            secs,
            count,
            latest: rules.start_by,
            haste: 0.0,
            lines: Vec::new(),
        };
        let of_shape: Vec<Group> = longest_first.map(group).collect();
        let count = of_shape.iter().map(|group| u64::from(group.count)).sum();
        shapes.push(Shape { need, classes, count, groups: Vec::new() });
        groups.push(of_shape);
    }
    let clock = Clock { boot: rules.boot, billed_min: rules.billed_min, deadline: rules.deadline };
    Ok(World { shapes, groups, offers, file_indices, hazards: Vec::new(), clock, ways: None })
}

/// What may be bought, cheapest first, and where each stands in the catalog.
fn offers(
    catalog: &Catalog,
    is_cooling: &dyn Fn(&PoolId) -> bool,
    rules: &Rules,
) -> (Vec<Offer>, Vec<usize>) {
    let mut offers = Vec::new();
    for (at, offering) in catalog.offerings().iter().enumerate() {
        let is_too_large = rules.host_cpu_max.is_some_and(|max| max < offering.capacity.cpu);
        if is_too_large || is_cooling(&offering.pool) {
            continue;
        }
        let class = class_of(offering.traits());
        let capacity = Amount::of(&offering.capacity);
        offers.push(Offer {
            capacity,
            price: offering.price.get(),
            class,
            caps: CapSet::default(),
            at,
        });
    }
    offers.sort_unstable_by_key(|offer| (offer.price, offer.at));
    let file_indices = offers.iter().map(|offer| offer.at).collect();
    for (at, offer) in offers.iter_mut().enumerate() {
        offer.at = at;
    }
    (offers, file_indices)
}

/// Bills are counted in millionths of a dollar per hour, times seconds.
const SECS_PER_HOUR: u64 = 3600;

fn summary(hosts: &[Host], world: &World, catalog: &Catalog, bound: u64) -> Schedule {
    let mut schedule =
        Schedule { bound: MicroUsd::new(bound / SECS_PER_HOUR), ..Schedule::default() };
    let (mut bill, mut starts, mut n_jobs) = (0_u64, 0_u64, 0_u64);
    for host in hosts {
        schedule.n_hosts = schedule.n_hosts.saturating_add(1);
        schedule.cpu_units = schedule.cpu_units.saturating_add(host.offer.capacity.0[0].into());
        let price = MicroUsdPerHour::new(host.offer.price);
        schedule.price = schedule.price.saturating_add(price);
        bill = bill.saturating_add(host.cost(world.clock));
        schedule.last_end_secs = schedule.last_end_secs.max(host.end());
        for run in &host.runs {
            schedule.last_start_secs = schedule.last_start_secs.max(run.start);
            starts = starts.saturating_add(u64::from(run.start) * u64::from(run.count));
            n_jobs = n_jobs.saturating_add(run.count.into());
        }
        let offering =
            world.file_indices.get(host.offer.at).and_then(|at| catalog.offerings().get(*at));
        if let Some(offering) = offering {
            let n_hosts = schedule.pools.entry(offering.pool.clone()).or_default();
            *n_hosts = n_hosts.saturating_add(1);
        }
    }
    schedule.bill = MicroUsd::new(bill.div_ceil(SECS_PER_HOUR));
    schedule.mean_start_secs = u32::try_from(starts / n_jobs.max(1)).unwrap_or(u32::MAX);
    schedule
}
