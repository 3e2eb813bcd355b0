//! Ways to decide, ours among them: what a simulation can be run with.

use spillway_planner::Spillway;

use crate::peer::{PEERS, Peer};
use crate::run::listeners::Listeners;
use crate::run::{self, Outcome, RunError};
use crate::scenario::Scenario;

/// A way to decide, with its pace.
#[derive(Debug, Clone, Copy)]
pub enum Policy {
    /// Ours.
    Spillway,
    /// A model of somebody else's.
    Peer(&'static Peer),
}

impl Policy {
    /// Ours, then the others in the order of tables.
    pub fn all() -> Vec<Self> {
        let peers = PEERS.iter().map(Self::Peer);
        std::iter::once(Self::Spillway).chain(peers).collect()
    }

    /// The policy of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|policy| policy.name() == name)
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Spillway => "spillway",
            Self::Peer(peer) => peer.name,
        }
    }

    /// What it is, in a line.
    pub const fn about(&self) -> &'static str {
        match self {
            Self::Spillway => "Spillway as it is configured",
            Self::Peer(peer) => peer.about,
        }
    }

    /// Runs a scenario under this policy.
    pub fn run(&self, scenario: &Scenario, listeners: Listeners<'_>) -> Result<Outcome, RunError> {
        match self {
            Self::Spillway => run::run_with(scenario, &|| Box::new(Spillway::default()), listeners),
            Self::Peer(peer) => {
                run::run_with(&peer.at_its_pace(scenario), &|| peer.planner(), listeners)
            }
        }
    }
}
