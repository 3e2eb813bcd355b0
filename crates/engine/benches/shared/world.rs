//! The world of the benchmarks: a thousand full hosts and up to a million jobs in line, in one queue, or in several queues with
//! shares, priorities and pools.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use spillway_core::effect::Receipt;
use spillway_core::id::LedgerId;
use spillway_core::input::Delivery;
use spillway_core::job::{BodyHash, LiveAttempt};
use spillway_core::message::{self, Request, SimpleJob};
use spillway_core::task::{TaskReport, TaskStatus};
use spillway_core::{
    Arch, ArchRule, AttemptOrd, Catalog, ClientToken, CpuUnits, Hazard, Host, HostId, HostState,
    Instance, Job, JobId, JobSpec, JobState, KindHistory, KindId, LaunchId, LedgerState, Market,
    MarketRule, MiB, MicroUsdPerHour, Offering, PoolId, QueueName, Resources, Scheduling,
    VariantOrd, kind_name,
};
use spillway_engine::{
    Caps, EngineConfig, FairShare, OfferingFilter, PoolRules, QueueRules, ShareRules, Weight,
};
use uuid::Uuid;

pub(crate) const N_HOSTS: u32 = 1_000;
const RUNS_PER_HOST: u32 = 16;
/// Jobs come in so many kinds, each with its shape and history.
const N_KINDS: u32 = 200;
/// The families that are sold, each in its sizes; hosts are of the first three by turns, one for each pool.
const FAMILIES: [(&str, u32); 6] =
    [("c5", 2), ("m5", 4), ("r5", 8), ("c6i", 2), ("m6i", 4), ("r6i", 8)];
const SIZES: [(&str, u32); 7] = [
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("8xlarge", 32),
    ("12xlarge", 48),
    ("24xlarge", 96),
];

/// How much there is beside jobs and hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One queue, and all offerings are one.
    Plain,
    /// Four queues in three ranks, two of them with four shares; three pools; caps on pools, queues and shares.
    Shared,
}

impl Layout {
    fn queues(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["default"],
            Self::Shared => &["urgent", "teams", "batch", "nightly"],
        }
    }

    fn queue(self, n: u32) -> QueueName {
        let queues = self.queues();
        queues[index(n) % queues.len()].parse().expect("it is a name")
    }

    fn scheduling(self, n: u32) -> Scheduling {
        let mut scheduling = Scheduling::default();
        if self == Self::Shared && n % 4 < 3 {
            let share = format!("team{}", n / 4 % 4);
            scheduling.share = Some(share.parse().expect("it is a share"));
            scheduling.priority = u16::try_from(n / 16 % 2).expect("it is small");
        }
        scheduling
    }

    /// What the operator says, with so many hosts at most.
    pub(crate) fn config(self, hosts_max: u32) -> EngineConfig {
        let name = |name: &&str| name.parse().expect("it is a name");
        let mut config = EngineConfig {
            queues: self.queues().iter().map(name).collect(),
            ..EngineConfig::default()
        };
        config.limits.hosts_max = Some(hosts_max);
        config.limits.cpu_max = None;
        if self == Self::Plain {
            return config;
        }
        let pool = |name: &str, types: &[&str]| PoolRules {
            name: name.parse().expect("it is a name"),
            offerings: OfferingFilter {
                instance_types: types.iter().map(|name| (*name).to_owned()).collect(),
                ..OfferingFilter::default()
            },
            caps: Caps { hosts_max: Some(hosts_max), ..Caps::default() },
        };
        config.pools =
            vec![pool("compute", &["c*"]), pool("general", &["m*"]), pool("memory", &["r*"])];
        let rules = |priority: u32, pools: &[&str], is_fair: bool| {
            let share = ShareRules {
                pattern: "team1".parse().expect("it is a share"),
                weight: Weight::from_parts(5_000).expect("it is a weight"),
                caps: Caps { cpu_max: Some(CpuUnits::from_vcpus(8_000)), ..Caps::default() },
            };
            QueueRules {
                priority,
                pools: pools.iter().map(|name| name.parse().expect("it is a name")).collect(),
                caps: Caps { cpu_max: Some(CpuUnits::from_vcpus(20_000)), ..Caps::default() },
                fair_share: is_fair.then(FairShare::default),
                shares: if is_fair { vec![share] } else { Vec::new() },
            }
        };
        let named = |name: &str| name.parse().expect("it is a name");
        config.queue_rules = BTreeMap::from([
            (named("urgent"), rules(100, &["compute", "general"], false)),
            (named("teams"), rules(10, &["general", "memory"], true)),
            (named("batch"), rules(10, &["compute", "general", "memory"], true)),
            (named("nightly"), rules(1, &["memory"], false)),
        ]);
        config
    }
}

fn index(n: u32) -> usize {
    usize::try_from(n).expect("an index fits")
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("it is a time")
}

pub(crate) fn after(secs: u32) -> Timestamp {
    start() + SignedDuration::from_secs(secs.into())
}

/// What the `n`-th job is as a message.
fn submitted(layout: Layout, n: u32) -> String {
    let kind = n % N_KINDS;
    let told = kind.is_multiple_of(4).then(|| SignedDuration::from_secs((60 + n % 1_000).into()));
    let job = SimpleJob {
        name: format!("step-{n}").parse().expect("it is a name"),
        queue: layout.queue(n),
        image: format!("registry.example.com/pipeline/tool{kind}:1"),
        command: vec!["sh".into(), "-c".into(), format!("run --sample {n}")],
        environment: vec![("SAMPLE".into(), n.to_string())],
        resources: Resources::new(
            CpuUnits::from_milli_ceil(250 + 50 * (kind % 20)),
            MiB::new(256 + 128 * (kind / 20)),
            0,
        ),
        arch: ArchRule::X86_64,
        gpu_kinds: Vec::new(),
        market: MarketRule::Any,
        attempts: Some(3),
        attempt_timeout: None,
        expected_duration: told,
        patience: kind.is_multiple_of(10).then(|| SignedDuration::from_hours(1)),
        deadline: None,
        client_token: Some(n.to_string()),
        tags: BTreeMap::new(),
        array: None,
        depends_on: Vec::new(),
        scheduling: layout.scheduling(n),
    };
    message::submit(&job).to_string()
}

/// The same as it comes.
pub(crate) fn delivery(layout: Layout, n: u32) -> Delivery {
    Delivery {
        message_id: n.to_string(),
        receipt: Receipt(n.to_string()),
        body: submitted(layout, n),
        sent_at: None,
        sender: None,
    }
}

/// The same as the control loop has it: parsed, so that it weighs what a real one does.
fn spec(layout: Layout, n: u32) -> JobSpec {
    let parsed = message::parse(&submitted(layout, n)).expect("it is a message");
    match parsed.request {
        Request::Submit { spec, .. } => *spec,
        Request::Cancel { .. }
        | Request::Terminate { .. }
        | Request::Register { .. }
        | Request::Deregister { .. }
        | Request::Schedule(_)
        | Request::Pause { .. }
        | Request::ResetBreaker { .. }
        | Request::ApproveBurst { .. } => unreachable!("it submits"),
    }
}

fn job(layout: Layout, n: u32, state: JobState) -> Job {
    let spec = spec(layout, n);
    Job {
        id: JobId::derive(&spec.queue, &n.to_string()),
        spec: Arc::new(spec),
        body_hash: BodyHash(n.into()),
        created_at: after(n % 600),
        seq: n.into(),
        state,
        attempts: Vec::new(),
        warnings: Vec::new(),
    }
}

fn pool(family: u32) -> PoolId {
    PoolId {
        instance_type: format!("{}.8xlarge", FAMILIES[index(family)].0),
        zone: "us-east-1a".parse().expect("it is a zone"),
        market: Market::Spot,
    }
}

fn task_arn(n: u32) -> String {
    format!("arn:aws:ecs:us-east-1:1:task/c/{n:032x}")
}

fn instance_arn(host: u32) -> String {
    format!("arn:aws:ecs:us-east-1:1:container-instance/c/{host}")
}

/// The end of the `n`-th of the jobs that run, as ECS tells it; they are numbered from 0.
pub(crate) fn end_of(layout: Layout, n: u32) -> TaskReport {
    let id = JobId::derive(&layout.queue(n), &n.to_string());
    TaskReport {
        arn: task_arn(n).parse().expect("it is an ARN"),
        started_by: Some(ClientToken::of_attempt(id, AttemptOrd::FIRST).to_string()),
        container_instance: Some(instance_arn(n / RUNS_PER_HOST).parse().expect("it is an ARN")),
        version: 9,
        status: TaskStatus::Stopped,
        started_at: None,
        stopped_at: Some(after(900)),
        exit_code: Some(0),
        stop_code: Some("EssentialContainerExited".into()),
        stopped_reason: None,
        container_reason: None,
        containers: Vec::new(),
    }
}

/// A ledger of a thousand hosts, each full with its runs, and so many jobs in line.
pub(crate) fn ledger(layout: Layout, n_waiting: u32) -> LedgerState {
    let mut state = LedgerState::new(LedgerId::from_uuid(Uuid::from_u128(7)));
    let launch = LaunchId::derive(state.ledger, 0);
    for ord in 0..N_HOSTS {
        let id = HostId::derive(launch, ord);
        let mut capacity = Resources::ZERO;
        for run in 0..RUNS_PER_HOST {
            let n = ord * RUNS_PER_HOST + run;
            let attempt = LiveAttempt {
                awaits_main: false,
                variant: VariantOrd::BASE,
                ord: AttemptOrd::FIRST,
                host: id,
                placed_at: after(n % 500),
                task: Some(task_arn(n).parse().expect("it is an ARN")),
                task_version: 0,
                stop: None,
                expected: None,
                shared: None,
            };
            let running = JobState::Running { attempt, started_at: after(n % 500) };
            let running = job(layout, n, running);
            capacity = capacity.checked_add(&running.need()).expect("it is little");
            state.jobs.push(running);
        }
        let name = format!("i-{ord:017x}").parse().expect("it is an id");
        let arn = instance_arn(ord);
        state.hosts.push(Host {
            id,
            launch: Some(launch),
            pool: pool(ord % 3),
            arch: Arch::X86_64,
            gpu: None,
            price: MicroUsdPerHour::new(600_000),
            extras: MicroUsdPerHour::ZERO,
            capacity,
            hazard: Hazard::NEVER,
            reserved: Vec::new(),
            on_demand_price: None,
            registered_at: None,
            drained_at: None,
            state: HostState::Registered {
                instance: Instance { id: name, launched_at: start() },
                container_instance: arn.parse().expect("it is an ARN"),
                at: start(),
            },
        });
    }
    let n_running = N_HOSTS * RUNS_PER_HOST;
    for n in n_running..n_running + n_waiting {
        state.jobs.push(job(layout, n, JobState::Runnable { since: after(n % 600) }));
    }
    for n in 0..N_KINDS * 4 {
        let spec = spec(layout, n);
        let mut known = KindHistory {
            name: kind_name(&spec),
            last_ended: start(),
            took: spillway_core::Durations::default(),
            took_of_told: spillway_core::Durations::default(),
        };
        for ended in 0..200 {
            known.took.ended(10 + n % N_KINDS * 3 + ended * ended);
            known.took_of_told.ended(500 + ended * 7);
        }
        state.history.kinds.insert(KindId::of(&spec), known);
    }
    state
}

/// 252 offerings: six families in seven sizes, three zones, both markets.
pub(crate) fn catalog() -> Catalog {
    let mut offerings = Vec::new();
    for (family, gib_per_vcpu) in FAMILIES {
        for ((size, vcpus), zone) in SIZES
            .iter()
            .flat_map(|size| ["us-east-1a", "us-east-1b", "us-east-1c"].map(|zone| (*size, zone)))
        {
            for (market, micro_per_vcpu) in [(Market::OnDemand, 42_500), (Market::Spot, 17_000)] {
                let per_vcpu = micro_per_vcpu + u64::from(1_500 * gib_per_vcpu);
                let memory = MiB::new(vcpus * gib_per_vcpu * 1024 * 95 / 100);
                offerings.push(Offering {
                    pool: PoolId {
                        instance_type: format!("{family}.{size}"),
                        zone: zone.parse().expect("it is a zone"),
                        market,
                    },
                    arch: Arch::X86_64,
                    gpu: None,
                    capacity: Resources::new(CpuUnits::from_vcpus(vcpus), memory, 0),
                    price: MicroUsdPerHour::new(per_vcpu * u64::from(vcpus)),
                    hazard: Hazard::NEVER,
                });
            }
        }
    }
    Catalog::new(start(), offerings)
}
