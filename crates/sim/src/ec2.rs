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
use crate::world::{Out, WorldConfig};

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
    /// Somebody stopped it: it keeps its disk until it is terminated.
    Stopped,
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
    /// When EC2 called it `running`.
    pub running_at: Option<Timestamp>,
    /// When EC2 called it `terminated`.
    pub terminated_at: Option<Timestamp>,
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

    /// Whether it is stopped and was not terminated.
    pub const fn is_stopped(&self) -> bool {
        matches!(self.ended, Some((_, InstanceEnd::Stopped)))
    }

    /// EC2's state as it was at `at`.
    fn status_at(&self, at: Timestamp) -> InstanceStatus {
        let was = |moment: Option<Timestamp>| moment.is_some_and(|moment| moment <= at);
        if was(self.terminated_at) {
            InstanceStatus::Terminated
        } else if was(self.ended.map(|(at, _)| at)) {
            InstanceStatus::ShuttingDown
        } else if was(self.running_at) {
            InstanceStatus::Running
        } else {
            InstanceStatus::Pending
        }
    }

    fn report_at(&self, at: Timestamp) -> InstanceReport {
        InstanceReport {
            id: self.id.clone(),
            pool: self.pool.clone(),
            arch: self.arch,
            launched_at: self.launched_at,
            status: self.status_at(at),
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
    n_stopped: u64,
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
            n_stopped: 0,
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

    /// Whether one is stopped, and keeps its disk.
    pub fn has_stopped(&self) -> bool {
        0 < self.n_stopped
    }

    /// One of them.
    pub fn get(&self, id: &InstanceId) -> Option<&SimInstance> {
        self.instances.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &InstanceId) -> Option<&mut SimInstance> {
        self.instances.get_mut(id)
    }

    /// The launch of every call that was answered, once for each token.
    pub fn launched(&self) -> impl Iterator<Item = LaunchId> {
        self.launches.values().map(|(request, _)| request.launch)
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
        let may_be_more = faults_on && left == 0;
        if may_be_more
            && dice.roll("surplus", &request.token).happens(config.faults.surplus_hosts)
            && let Some(choice) = request.choices.first()
        {
            answer.instances.extend(self.add(now, &choice.pool, request, &answer, config, dice));
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
        let is_out = config.is_out(since_start, |out| match out {
            Out::Spot => pool.market == Market::Spot,
            Out::Zone(zone) => *zone == pool.zone,
            Out::JobQueue
            | Out::Cluster
            | Out::Credentials
            | Out::Call(_)
            | Out::Ledger
            | Out::Ami(_)
            | Out::Image(_) => false,
        });
        let slot = since_start.as_secs() / DRY_SLOT.as_secs();
        let is_dry_by_chance = faults_on
            && dice.roll("dry", &format_args!("{pool}/{slot}")).happens(config.faults.dry_pools);
        if is_dry_by_rule || is_out || is_dry_by_chance {
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
        let price = self.list.price(pool)?;
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
            running_at: None,
            terminated_at: None,
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
        self.n_stopped += u64::from(end == InstanceEnd::Stopped);
        instance.status = InstanceStatus::ShuttingDown;
        if let Some(n) = self.in_pool.get_mut(&instance.pool) {
            *n = n.saturating_sub(1);
        }
        if let Some(cpu) = self.cpu_in_market.get_mut(&instance.pool.market) {
            *cpu = cpu.saturating_sub(instance.nominal.cpu.get());
        }
        true
    }

    /// Somebody terminates an instance that was stopped. False if it was not.
    pub(crate) fn end_stopped(&mut self, id: &InstanceId) -> bool {
        let Some(instance) = self.instances.get_mut(id) else { return false };
        let Some((at, InstanceEnd::Stopped)) = instance.ended else { return false };
        instance.ended = Some((at, InstanceEnd::Terminated));
        self.n_stopped = self.n_stopped.saturating_sub(1);
        true
    }

    /// What `DescribeInstances` says: the instances as they were at `shown_at`, and how many are not listed yet.
    pub(crate) fn reports(
        &mut self,
        now: Timestamp,
        shown_at: Timestamp,
    ) -> (Vec<InstanceReport>, u64) {
        let instances = &self.instances;
        self.shown.retain(|id| {
            let Some(instance) = instances.get(id) else { return false };
            // One that is stopped is shown until it is terminated.
            let ended = instance.ended.filter(|_| !instance.is_stopped());
            ended.is_none_or(|(at, _)| now.duration_since(at) < TERMINATED_SHOWN)
        });
        let (mut reports, mut n_late) = (Vec::new(), 0);
        for instance in self.shown.iter().filter_map(|id| instances.get(id)) {
            if instance.listed_from <= now && instance.launched_at <= shown_at {
                reports.push(instance.report_at(shown_at));
            } else {
                n_late += 1;
            }
        }
        (reports, n_late)
    }
}
