//! The hosts that are not gone, and what is known of each beyond its record.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use jiff::Timestamp;
use spillway_core::id::ContainerInstanceArn;
use spillway_core::plan::HostView;
use spillway_core::{
    Busy, CpuUnits, DemandKey, Host, HostId, HostState, InstanceId, JobId, KindId, PoolId,
    Resources,
};

use crate::limits;

/// What a job holds on its host, and what its end is estimated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub(crate) need: Resources,
    pub(crate) kind: KindId,
    /// How long it says that it will run.
    pub(crate) told_secs: Option<u32>,
    /// How many such run one after another.
    pub(crate) waves: NonZeroU32,
    /// Since when it has run, in seconds since 1970.
    pub(crate) since_sec: i64,
}

/// What a host was good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Nothing yet.
    None,
    /// An attempt has ended on it by itself or by order, or may have before this dispatcher knew it.
    Worked,
    /// Nothing, and it was given back when nobody was left whom it could have served.
    Surplus,
}

/// A host and what the control loop remembers of it; the latter is found again after a restart.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) host: Host,
    /// Which of the operator's pools it belongs to; its offering says that, and never changes.
    pub(crate) pool: Option<usize>,
    /// ECS's names for it; the state that ends it no longer says them.
    container_instances: BTreeSet<ContainerInstanceArn>,
    /// Jobs whose live attempt is on it.
    live: BTreeSet<JobId>,
    /// The same, counted: how many hold the same since the same second.
    runs: BTreeMap<Run, u32>,
    /// What they hold.
    held: Resources,
    /// Since when this dispatcher knows that there is such an instance, by its own clock.
    pub(crate) known_at: Timestamp,
    /// Since when nothing is on it.
    pub(crate) idle_since: Option<Timestamp>,
    /// Since when its agent is away.
    pub(crate) agent_away_since: Option<Timestamp>,
    /// ECS refused a task here: no other before this.
    pub(crate) refused_until: Option<Timestamp>,
    /// Refused tasks in a row.
    pub(crate) n_refused: u32,
    /// EC2 has announced to take it back.
    pub(crate) interrupted: bool,
    /// ECS knows that it drains.
    pub(crate) drained: bool,
    /// A call about it has been sent and not been answered.
    pub(crate) calling: bool,
    /// Failed calls about it in a row.
    pub(crate) n_call_failed: u32,
    /// How many looks in a row did not show it.
    pub(crate) n_missed: u32,
    /// Its private address, once a look has shown it.
    pub(crate) address: Option<Ipv4Addr>,
    /// The plan in hand keeps room on it for a node of this job.
    pub(crate) held_for: Option<JobId>,
    /// When EC2 was first seen to have ended it.
    pub(crate) ended_at: Option<Timestamp>,
    /// What it was good for.
    pub(crate) purpose: Purpose,
}

impl Entry {
    /// A host that this dispatcher knows of from now on.
    pub(crate) fn new(host: Host, pool: Option<usize>, now: Timestamp) -> Self {
        Self {
            host,
            pool,
            known_at: now,
            container_instances: BTreeSet::new(),
            live: BTreeSet::new(),
            runs: BTreeMap::new(),
            held: Resources::ZERO,
            idle_since: None,
            agent_away_since: None,
            refused_until: None,
            n_refused: 0,
            interrupted: false,
            drained: false,
            calling: false,
            n_call_failed: 0,
            n_missed: 0,
            address: None,
            held_for: None,
            ended_at: None,
            purpose: Purpose::None,
        }
    }

    /// Whether it belongs to this pool; none is all that there is.
    pub(crate) fn is_of(&self, pool: Option<usize>) -> bool {
        pool.is_none() || self.pool == pool
    }

    /// Whether a task can be started on it now.
    pub(crate) fn is_ready(&self, now: Timestamp) -> bool {
        let registered = matches!(self.host.state, HostState::Registered { .. });
        let refused = self.refused_until.is_some_and(|until| now < until);
        registered && self.agent_away_since.is_none() && !refused && !self.interrupted
    }

    /// Whether work may be planned for it.
    pub(crate) fn is_usable(&self) -> bool {
        self.host.takes_work() && !self.interrupted && self.n_refused < limits::REFUSALS_MAX
    }

    /// For how long it is still expected to boot, in seconds; one that should be up by now may be so any moment.
    fn boot_left(&self, now: Timestamp, boot_secs: u32) -> u32 {
        let since = self.host.instance().map_or(now, |instance| instance.launched_at);
        let age = u32::try_from(now.duration_since(since).as_secs()).unwrap_or(0);
        boot_secs.saturating_sub(age).max(1)
    }

    /// Jobs whose live attempt is on it.
    pub(crate) fn live(&self) -> &BTreeSet<JobId> {
        &self.live
    }

    /// What they hold and since when, with how many do.
    pub(crate) fn runs(&self) -> &BTreeMap<Run, u32> {
        &self.runs
    }

    /// Gives a job its place, unless it has one.
    pub(crate) fn take_place(&mut self, id: JobId, run: Run) -> bool {
        self.idle_since = None;
        let is_new = self.live.insert(id);
        if is_new {
            self.held = self.held.checked_add(&run.need).unwrap_or(self.held);
            let count = self.runs.entry(run).or_default();
            *count = count.saturating_add(1);
        }
        is_new
    }

    /// Frees a job's place, if it has one; `run` is what it was last counted as.
    pub(crate) fn free_place(&mut self, id: JobId, run: &Run) -> bool {
        if !self.live.remove(&id) {
            return false;
        }
        self.held = self.held.saturating_sub(&run.need);
        if let Some(count) = self.runs.get_mut(run) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.runs.remove(run);
            }
        }
        if self.live.is_empty() {
            debug_assert!(self.runs.is_empty(), "every place was freed as what it was taken as");
            self.runs.clear();
            self.held = Resources::ZERO;
        }
        true
    }

    pub(crate) fn free(&self) -> Resources {
        self.host.capacity.saturating_sub(&self.held)
    }
}

/// All hosts that are not gone.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    entries: BTreeMap<HostId, Entry>,
    by_instance: BTreeMap<InstanceId, HostId>,
    by_container_instance: BTreeMap<ContainerInstanceArn, HostId>,
}

impl Fleet {
    /// Adds a host, or brings its names up to date.
    pub(crate) fn put(&mut self, entry: Entry) {
        let id = entry.host.id;
        self.entries.insert(id, entry);
        self.reindex(id);
    }

    /// Call after a host's state has changed: its instance may have got a name.
    pub(crate) fn reindex(&mut self, id: HostId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Some(instance) = entry.host.instance() {
            self.by_instance.insert(instance.id.clone(), id);
        }
        if let Some(arn) = entry.host.container_instance().cloned() {
            entry.container_instances.insert(arn.clone());
            self.by_container_instance.insert(arn, id);
        }
    }

    pub(crate) fn remove(&mut self, id: HostId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        if let Some(instance) = entry.host.instance() {
            self.by_instance.remove(&instance.id);
        }
        for arn in &entry.container_instances {
            self.by_container_instance.remove(arn);
        }
        Some(entry)
    }

    pub(crate) fn get(&self, id: HostId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: HostId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn of_instance(&self, instance: &InstanceId) -> Option<HostId> {
        self.by_instance.get(instance).copied()
    }

    pub(crate) fn of_container_instance(&self, arn: &ContainerInstanceArn) -> Option<HostId> {
        self.by_container_instance.get(arn).copied()
    }

    /// The hosts that work may be planned for, of those that are asked about; `expect` tells what is on one, and what it is
    /// kept for.
    pub(crate) fn views(
        &self,
        now: Timestamp,
        boot_secs: u32,
        is_asked: impl Fn(&Entry) -> bool,
        mut expect: impl FnMut(&Entry) -> (Vec<Busy>, Vec<(DemandKey, u32)>),
    ) -> Vec<HostView> {
        let usable = |e: &&Entry| e.is_usable() && is_asked(e);
        let view = |e: &Entry| {
            let ready = e.is_ready(now);
            let (busy, reserved) = expect(e);
            HostView {
                id: e.host.id,
                arch: e.host.arch,
                gpu: e.host.gpu,
                market: e.host.pool.market,
                price: e.host.price,
                free: e.free(),
                busy,
                reserved,
                ready,
                ready_in_secs: if ready { 0 } else { e.boot_left(now, boot_secs) },
            }
        };
        self.entries.values().filter(usable).map(view).collect()
    }

    /// Whether some host is ready and has nothing to do.
    pub(crate) fn has_idle(&self, now: Timestamp) -> bool {
        self.entries.values().any(|entry| entry.is_ready(now) && entry.live.is_empty())
    }

    /// The CPU of all hosts that are paid for or asked for, by pool.
    pub(crate) fn cpu_by_pool(&self) -> BTreeMap<PoolId, CpuUnits> {
        let mut cpu: BTreeMap<PoolId, CpuUnits> = BTreeMap::new();
        for entry in self.entries.values() {
            let of_pool = cpu.entry(entry.host.pool.clone()).or_default();
            let sum = of_pool.get().saturating_add(entry.host.capacity.cpu.get());
            *of_pool = CpuUnits::new(sum);
        }
        cpu
    }
}

/// What some hosts are together: all that are paid for or asked for count against the limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) n_hosts: u64,
    pub(crate) cpu: u64,
    pub(crate) memory: u64,
    pub(crate) gpus: u64,
    /// In millionths of a dollar per hour.
    pub(crate) price: u64,
}

impl Totals {
    pub(crate) fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        entries.fold(Self::default(), |totals, entry| {
            let Resources { cpu, memory, gpus } = entry.host.capacity;
            Self {
                n_hosts: totals.n_hosts.saturating_add(1),
                cpu: totals.cpu.saturating_add(cpu.get().into()),
                memory: totals.memory.saturating_add(memory.get().into()),
                gpus: totals.gpus.saturating_add(gpus.into()),
                price: totals.price.saturating_add(entry.host.price.get()),
            }
        })
    }
}
