//! EC2: capacity pools, launches that are idempotent by token, instances from `pending` to `terminated`.
//!
//! Only states and counts; what happens when is written down by [`crate::cloud`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use jiff::{SignedDuration, Timestamp};
use spillway_core::effect::{LaunchAnswer, LaunchRequest, LaunchedInstance, PoolError, PoolFault};
use spillway_core::task::{InstanceReport, InstanceStatus};
use spillway_core::{
    Arch, ClientToken, CloudError, CpuUnits, GpuKind, HostTraits, InstanceId, LaunchId, Market,
    MicroUsd, MicroUsdPerHour, PoolId, Resources, cost,
};

use crate::catalog::PriceList;
use crate::dice::Dice;
use crate::fnv::Fnv;
use crate::world::WorldConfig;

/// How long EC2 shows an instance after its end ("DescribeInstances": within an hour).
pub const TERMINATED_SHOWN: SignedDuration = SignedDuration::from_hours(1);

/// How long a pool that runs dry by chance stays so.
const DRY_SLOT: SignedDuration = SignedDuration::from_mins(15);

/// How an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstanceEnd {
    /// `TerminateInstances`.
    Terminated,
    /// A Spot interruption.
    Reclaimed,
    /// The machine died.
    Died,
}

/// One instance, and what really became of it.
#[derive(Debug, Clone)]
pub struct SimInstance {
    /// Its id.
    pub id: InstanceId,
    /// Its pool.
    pub pool: PoolId,
    /// Its architecture.
    pub arch: Arch,
    /// The kind of its GPUs.
    pub gpu: Option<GpuKind>,
    /// What EC2 says it has.
    pub nominal: Resources,
    /// What it costs while it runs.
    pub price: MicroUsdPerHour,
    /// Since when it is paid.
    pub launched_at: Timestamp,
    /// The launch in its tag.
    pub launch: LaunchId,
    /// EC2's state.
    pub status: InstanceStatus,
    /// When it registered in the cluster, if it did.
    pub registered_at: Option<Timestamp>,
    /// When EC2 announced to reclaim it, or reclaimed it unannounced.
    pub interrupted_at: Option<Timestamp>,
    /// When and how it ended; it is not paid from then on.
    pub ended: Option<(Timestamp, InstanceEnd)>,
    /// Since when lists show it.
    pub listed_from: Timestamp,
}

impl SimInstance {
    /// What it has cost up to `now`.
    pub fn bill(&self, now: Timestamp) -> MicroUsd {
        cost::bill(self.price, self.launched_at, self.ended.map_or(now, |(at, _)| at))
    }

    /// Whether it is still paid.
    pub const fn is_alive(&self) -> bool {
        self.ended.is_none()
    }

    /// What jobs may insist on.
    pub const fn traits(&self) -> HostTraits {
        HostTraits { arch: self.arch, market: self.pool.market, gpu: self.gpu }
    }

    fn report(&self) -> InstanceReport {
        InstanceReport {
            id: self.id.clone(),
            pool: self.pool.clone(),
            arch: self.arch,
            launched_at: self.launched_at,
            status: self.status,
            launch: Some(self.launch),
            address: Some(self.address()),
        }
    }

    /// Its private address: somewhere in 10.0.0.0/8, by its id.
    fn address(&self) -> Ipv4Addr {
        let [.., a, b, c] = Fnv::of(&format_args!("address {}", self.id)).to_be_bytes();
        Ipv4Addr::new(10, a, b, c)
    }
}

/// The region's EC2.
#[derive(Debug)]
pub struct Ec2 {
    started_at: Timestamp,
    pub(crate) list: PriceList,
    instances: BTreeMap<InstanceId, SimInstance>,
    /// Instances that are paid.
    alive: BTreeSet<InstanceId>,
    /// Instances that lists may show: all but those that ended long ago.
    shown: BTreeSet<InstanceId>,
    in_pool: BTreeMap<PoolId, u32>,
    cpu_in_market: BTreeMap<Market, u32>,
    launches: BTreeMap<ClientToken, (LaunchRequest, LaunchAnswer)>,
    n_refusals: u64,
}

impl Ec2 {
    pub(crate) fn new(config: &WorldConfig, started_at: Timestamp) -> Self {
        Self {
            started_at,
            list: PriceList::new(config),
            instances: BTreeMap::new(),
            alive: BTreeSet::new(),
            shown: BTreeSet::new(),
            in_pool: BTreeMap::new(),
            cpu_in_market: BTreeMap::new(),
            launches: BTreeMap::new(),
            n_refusals: 0,
        }
    }

    /// All instances there ever were.
    pub fn instances(&self) -> impl Iterator<Item = &SimInstance> {
        self.instances.values()
    }

    /// Those that are paid.
    pub fn alive(&self) -> impl Iterator<Item = &SimInstance> {
        self.alive.iter().filter_map(|id| self.instances.get(id))
    }

    /// One of them.
    pub fn get(&self, id: &InstanceId) -> Option<&SimInstance> {
        self.instances.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &InstanceId) -> Option<&mut SimInstance> {
        self.instances.get_mut(id)
    }

    /// How many launch calls were answered.
    pub fn n_launches(&self) -> usize {
        self.launches.len()
    }

    /// How often a pool gave fewer than it was asked for.
    pub const fn n_refusals(&self) -> u64 {
        self.n_refusals
    }

    /// Performs a launch. Returns the answer and the ids that are new: none if the token was known.
    pub(crate) fn launch(
        &mut self,
        now: Timestamp,
        request: &LaunchRequest,
        config: &WorldConfig,
        dice: Dice,
        faults_on: bool,
    ) -> Result<(LaunchAnswer, Vec<InstanceId>), CloudError> {
        if let Some((known, answer)) = self.launches.get(&request.token) {
            if known == request {
                return Ok((answer.clone(), Vec::new()));
            }
            let detail = format!("IdempotentParameterMismatch: token {}", request.token);
            return Err(CloudError::Conflict { action: "ec2:CreateFleet".to_owned(), detail });
        }
        let mut answer = LaunchAnswer::default();
        let mut left = request.count;
        for choice in &request.choices {
            if left == 0 {
                break;
            }
            let (n, fault) = self.take_from(now, &choice.pool, left, config, dice, faults_on);
            for _ in 0..n {
                if let Some(instance) = self.add(now, &choice.pool, request, &answer, config, dice)
                {
                    answer.instances.push(instance);
                }
            }
            left -= n;
            if let Some((fault, code)) = fault {
                self.n_refusals += 1;
                let pool = Some(choice.pool.clone());
                answer.errors.push(PoolError { pool, fault, code: code.to_owned() });
            }
        }
        self.launches.insert(request.token.clone(), (request.clone(), answer.clone()));
        let new = answer.instances.iter().map(|i| i.id.clone()).collect();
        Ok((answer, new))
    }

    /// How many of `wanted` the pool can give now, and why not all.
    fn take_from(
        &self,
        now: Timestamp,
        pool: &PoolId,
        wanted: u32,
        config: &WorldConfig,
        dice: Dice,
        faults_on: bool,
    ) -> (u32, Option<(PoolFault, &'static str)>) {
        let Some(shape) = self.list.shapes.get(&pool.instance_type) else {
            return (0, Some((PoolFault::Unsupported, "Unsupported")));
        };
        let rule = config.rule(pool);
        if rule.is_some_and(|r| r.unsupported) || !self.list.prices.contains_key(pool) {
            return (0, Some((PoolFault::Unsupported, "Unsupported")));
        }
        let since_start = now.duration_since(self.started_at);
        let is_dry_by_rule = rule.is_some_and(|r| {
            r.dry.iter().any(|(from, to)| *from <= since_start && since_start < *to)
        });
        let slot = since_start.as_secs() / DRY_SLOT.as_secs();
        let is_dry_by_chance = faults_on
            && dice.roll("dry", &format_args!("{pool}/{slot}")).happens(config.faults.dry_pools);
        if is_dry_by_rule || is_dry_by_chance {
            return (0, Some((PoolFault::NoCapacity, "InsufficientInstanceCapacity")));
        }
        let in_use = self.in_pool.get(pool).copied().unwrap_or(0);
        let capacity = rule.and_then(|r| r.capacity).unwrap_or(u32::MAX).saturating_sub(in_use);
        let in_quota = config.vcpus_max(pool.market).map_or(u32::MAX, |max| {
            let used = self.cpu_in_market.get(&pool.market).copied().unwrap_or(0);
            let left = CpuUnits::from_vcpus(max).get().saturating_sub(used);
            left.checked_div(shape.nominal.cpu.get()).unwrap_or(0)
        });
        let n = wanted.min(capacity).min(in_quota);
        let fault = if n == wanted {
            None
        } else if in_quota <= capacity {
            Some(match pool.market {
                Market::OnDemand => (PoolFault::QuotaReached, "VcpuLimitExceeded"),
                Market::Spot => (PoolFault::QuotaReached, "MaxSpotInstanceCountExceeded"),
            })
        } else {
            Some((PoolFault::NoCapacity, "InsufficientInstanceCapacity"))
        };
        (n, fault)
    }

    fn add(
        &mut self,
        now: Timestamp,
        pool: &PoolId,
        request: &LaunchRequest,
        so_far: &LaunchAnswer,
        config: &WorldConfig,
        dice: Dice,
    ) -> Option<LaunchedInstance> {
        let shape = self.list.shapes.get(&pool.instance_type)?;
        let price = *self.list.prices.get(pool)?;
        let ord = so_far.instances.len();
        let hash = Fnv::of(&format_args!("instance {} {ord}", request.token));
        let id: InstanceId = format!("i-{hash:017x}").parse().ok()?;
        let lag = dice.roll("list lag", &id).within(config.list_lag);
        let instance = SimInstance {
            id: id.clone(),
            pool: pool.clone(),
            arch: shape.arch,
            gpu: shape.gpu,
            nominal: shape.nominal,
            price,
            launched_at: now,
            launch: request.launch,
            status: InstanceStatus::Pending,
            registered_at: None,
            interrupted_at: None,
            ended: None,
            listed_from: now + lag,
        };
        *self.in_pool.entry(pool.clone()).or_default() += 1;
        *self.cpu_in_market.entry(pool.market).or_default() += shape.nominal.cpu.get();
        self.alive.insert(id.clone());
        self.shown.insert(id.clone());
        self.instances.insert(id.clone(), instance);
        Some(LaunchedInstance { id, pool: pool.clone(), launched_at: Some(now) })
    }

    /// An instance is paid no more. False if it had ended before, or never was.
    pub(crate) fn end(&mut self, now: Timestamp, id: &InstanceId, end: InstanceEnd) -> bool {
        if !self.alive.remove(id) {
            return false;
        }
        let Some(instance) = self.instances.get_mut(id) else { return false };
        instance.ended = Some((now, end));
        instance.status = InstanceStatus::ShuttingDown;
        if let Some(n) = self.in_pool.get_mut(&instance.pool) {
            *n = n.saturating_sub(1);
        }
        if let Some(cpu) = self.cpu_in_market.get_mut(&instance.pool.market) {
            *cpu = cpu.saturating_sub(instance.nominal.cpu.get());
        }
        true
    }

    /// What `DescribeInstances` says.
    pub(crate) fn reports(&mut self, now: Timestamp) -> Vec<InstanceReport> {
        let instances = &self.instances;
        self.shown.retain(|id| {
            let ended = instances.get(id).and_then(|i| i.ended);
            ended.is_none_or(|(at, _)| now.duration_since(at) < TERMINATED_SHOWN)
        });
        let shown = self.shown.iter().filter_map(|id| instances.get(id));
        shown.filter(|i| i.listed_from <= now).map(SimInstance::report).collect()
    }
}
