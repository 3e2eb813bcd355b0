//! How others would decide: honest models of Karpenter, AWS Batch, an EC2 Fleet and plain heuristics, to be measured beside ours.
//!
//! Each model answers the planner's question ([`spillway_core::Planner`]) in its own way, and comes with the pace of what it
//! models: how long arrivals are gathered, how soon an idle host goes. Everything else (the loop, the calls, the simulated cloud)
//! is the same for all, so that only the decision is compared. Where a model is kinder than the product, its file says so;
//! the aim is never to win by making another look worse than it is. A model must never be used to run anything but a simulation.

mod batch;
mod bins;
mod draft;
mod fill;
mod fleet;
mod karpenter;
mod launch;
mod one_vm;
mod reason;
mod single_type;

use jiff::SignedDuration;
use spillway_core::{PlanInput, PlanPolicy, Planned, Planner};
use spillway_engine::EngineConfig;

use crate::scenario::Scenario;
use draft::Draft;

/// One way to decide, and its pace.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its name, as in `--policy NAME`.
    pub name: &'static str,
    /// What it models, in a line.
    pub about: &'static str,
    /// What it buys for the jobs that no host it has can take.
    buy: fn(&mut Draft<'_>),
    /// Whether work goes on hosts it has already.
    reuses_hosts: bool,
    /// How fast it decides and gives back; none is as we do.
    pace: Option<Pace>,
}

/// How fast a product decides.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// No job has arrived for so long, and what has arrived is planned.
    batch_idle: SignedDuration,
    /// It is planned after so long in any case.
    batch_max: SignedDuration,
    /// How long a host may have nothing to do.
    idle_timeout: SignedDuration,
}

/// Karpenter gathers 1 s to 10 s (`BATCH_IDLE_DURATION`, `BATCH_MAX_DURATION`). An empty node is found by a poll every 10 s
/// (`consolidateAfter` is 0 s by default) and checked once more 15 s later.
const KARPENTER_PACE: Pace = Pace {
    batch_idle: SignedDuration::from_secs(1),
    batch_max: SignedDuration::from_secs(10),
    idle_timeout: SignedDuration::from_secs(20),
};

/// Batch says nothing of its pace. Users see minutes from submission to an instance, and about as long until an idle one goes;
/// this is at the fast end of what they report.
const BATCH_PACE: Pace = Pace {
    batch_idle: SignedDuration::from_secs(5),
    batch_max: SignedDuration::from_secs(20),
    idle_timeout: SignedDuration::from_secs(120),
};

/// A fleet is resized by whoever runs it: here by a loop as quick as Batch's.
const FLEET_PACE: Pace = BATCH_PACE;

/// A host of one job goes when the job has ended.
const ONE_VM_PACE: Pace = Pace {
    batch_idle: SignedDuration::ZERO,
    batch_max: SignedDuration::ZERO,
    idle_timeout: SignedDuration::from_secs(2),
};

/// All models, in the order of tables.
pub const PEERS: [Peer; 7] = [
    Peer {
        name: "karpenter",
        about: "Karpenter, one pool: first-fit decreasing into nodes that are sets of types, the cheapest of a set at launch",
        buy: karpenter::buy,
        reuses_hosts: true,
        pace: Some(KARPENTER_PACE),
    },
    Peer {
        name: "karpenter-two-pools",
        about: "the same with a pool for each market and nodes of at most 64 vCPUs, as careful operators set it up",
        buy: karpenter::buy_in_two_pools,
        reuses_hosts: true,
        pace: Some(KARPENTER_PACE),
    },
    Peer {
        name: "batch-best-fit-progressive",
        about: "AWS Batch, BEST_FIT_PROGRESSIVE: the type with the least price per vCPU that holds the next job",
        buy: batch::buy_best_fit_progressive,
        reuses_hosts: true,
        pace: Some(BATCH_PACE),
    },
    Peer {
        name: "batch-spot-capacity-optimized",
        about: "AWS Batch, SPOT_PRICE_CAPACITY_OPTIMIZED: the same among the calmer half of the Spot pools",
        buy: batch::buy_spot_price_capacity_optimized,
        reuses_hosts: true,
        pace: Some(BATCH_PACE),
    },
    Peer {
        name: "fleet-lowest-price",
        about: "EC2 Fleet, lowest-price: one pool per kind of job, the least price per vCPU that holds all of them",
        buy: fleet::buy,
        reuses_hosts: true,
        pace: Some(FLEET_PACE),
    },
    Peer {
        name: "best-single-type",
        about: "the one type on which first-fit decreasing is cheapest, chosen anew for each wave",
        buy: single_type::buy,
        reuses_hosts: true,
        pace: None,
    },
    Peer {
        name: "one-vm-per-job",
        about: "the cheapest host that holds it for each job, given back at its end",
        buy: one_vm::buy,
        reuses_hosts: false,
        pace: Some(ONE_VM_PACE),
    },
];

impl Peer {
    /// The model of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PEERS.iter().find(|peer| peer.name == name)
    }

    /// The model as a planner. It remembers nothing between two plans.
    pub fn planner(&self) -> Box<dyn Planner> {
        Box::new(PeerPlanner(*self))
    }

    /// The scenario with the engine at this model's pace.
    #[must_use]
    pub fn at_its_pace(&self, scenario: &Scenario) -> Scenario {
        let mut scenario = scenario.clone();
        self.configure(&mut scenario.engine);
        scenario
    }

    /// The engine's configuration at this model's pace.
    pub fn configure(&self, config: &mut EngineConfig) {
        if let Some(pace) = self.pace {
            config.batch_idle = pace.batch_idle;
            config.batch_max = pace.batch_max;
            config.idle_timeout = pace.idle_timeout;
        }
    }
}

#[derive(Debug)]
struct PeerPlanner(Peer);

impl Planner for PeerPlanner {
    fn plan(&mut self, input: &PlanInput, policy: &PlanPolicy) -> Planned {
        let mut draft = Draft::new(input, policy);
        draft.fill(self.0.reuses_hosts);
        (self.0.buy)(&mut draft);
        draft.finish()
    }

    /// Karpenter remembers what it discovered by type; so do, which is kinder than they are, the others.
    fn learns_across_types(&self) -> bool {
        false
    }
}
