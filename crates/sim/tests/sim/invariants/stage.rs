//! The stage of these tests: a cloud with one host, and steps that are taken on it.

use spillway_core::effect::Receipt;
use spillway_core::host::DrainCause;
use spillway_core::job::LiveAttempt;
use spillway_core::{
    Arch, AttemptOrd, Change, Effect, Hazard, Host, HostId, HostState, Instance, InstanceId, Job,
    MicroUsdPerHour, VariantOrd,
};
use spillway_engine::{EngineConfig, Step};
use spillway_sim::invariants::Invariants;
use spillway_sim::{MemoryLedger, SimCloud};
use uuid::Uuid;

use crate::fixture::{at, cloud, exact_world, launch_id, queue, registered_host, spot};

/// A cloud with one registered host, which the ledger knows, and a checker that has seen nothing wrong.
pub(super) struct Stage {
    pub(super) cloud: SimCloud,
    pub(super) ledger: MemoryLedger,
    pub(super) invariants: Invariants,
    pub(super) instance: InstanceId,
    pub(super) host: Host,
    pub(super) now: i64,
}

pub(super) fn host_id() -> HostId {
    HostId::derive(launch_id(0), 0)
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(configure: impl FnOnce(&mut EngineConfig)) -> Self {
        let mut config = EngineConfig { queues: vec![queue()], ..EngineConfig::default() };
        configure(&mut config);
        let mut cloud = cloud(exact_world());
        let instance = registered_host(&mut cloud, &spot());
        let registered = cloud.ecs().host_of(&instance).unwrap();
        let host = Host {
            id: host_id(),
            launch: Some(launch_id(0)),
            pool: spot(),
            arch: Arch::X86_64,
            gpu: None,
            price: MicroUsdPerHour::new(25_000),
            extras: MicroUsdPerHour::ZERO,
            capacity: registered.registered,
            hazard: Hazard::NEVER,
            reserved: Vec::new(),
            on_demand_price: None,
            registered_at: None,
            drained_at: None,
            state: HostState::Registered {
                instance: Instance { id: instance.clone(), launched_at: at(0) },
                container_instance: registered.arn.clone(),
                at: at(60),
            },
        };
        let ledger = MemoryLedger::new(spillway_core::id::LedgerId::from_uuid(Uuid::nil()));
        let invariants = Invariants::new(config, &exact_world(), at(0));
        let mut stage = Self { cloud, ledger, invariants, instance, host: host.clone(), now: 60 };
        assert!(stage.write([Change::PutHost(Box::new(host))]).is_empty());
        stage
    }

    /// Takes a step; returns the names of the invariants it breaks.
    pub(super) fn step(&mut self, changes: Vec<Change>, effects: Vec<Effect>) -> Vec<&'static str> {
        let n_before = self.invariants.violations().len();
        let now = at(self.now);
        self.cloud.advance(now);
        if let Err(bad) = self.ledger.apply(&changes) {
            self.invariants.refused(1, now, &bad);
        }
        let step = Step { changes, effects, wake_at: None };
        self.invariants.check_step(1, now, &step, &self.ledger, &self.cloud);
        self.invariants.violations()[n_before..].iter().map(|v| v.invariant).collect()
    }

    pub(super) fn write(&mut self, changes: impl IntoIterator<Item = Change>) -> Vec<&'static str> {
        self.step(changes.into_iter().collect(), Vec::new())
    }

    pub(super) fn perform(&mut self, effect: Effect) -> Vec<&'static str> {
        self.step(Vec::new(), vec![effect])
    }

    /// Gives a new job to the host.
    pub(super) fn place(&mut self, job: Job) -> Vec<&'static str> {
        self.write([Change::AddJob(Box::new(job))])
    }

    pub(super) fn move_host(&mut self, state: HostState) -> Vec<&'static str> {
        self.write([Change::PutHost(Box::new(Host { state, ..self.host.clone() }))])
    }

    pub(super) fn terminating(&self, cause: DrainCause) -> HostState {
        HostState::Terminating {
            instance: self.host.instance().unwrap().clone(),
            container_instance: self.host.container_instance().cloned(),
            since: at(self.now),
            cause,
        }
    }

    pub(super) fn terminate(&self) -> Effect {
        Effect::Terminate { hosts: vec![(host_id(), self.instance.clone())] }
    }

    /// Sends a message and receives it.
    pub(super) fn receive(&mut self, body: &str) -> Receipt {
        self.cloud.send_message(at(self.now), body.to_owned());
        self.cloud.receive_messages(at(self.now)).unwrap().pop().unwrap().receipt
    }
}

pub(super) fn live(ord: AttemptOrd) -> LiveAttempt {
    let host = host_id();
    LiveAttempt {
        awaits_main: false,
        ord,
        host,
        placed_at: at(60),
        task: None,
        task_version: 0,
        stop: None,
        expected: None,
        variant: VariantOrd::BASE,
        shared: None,
    }
}
