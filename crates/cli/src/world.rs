//! A simulated cloud for the real runtime: read from a scenario, put behind the ports on an accelerated clock, and fed
//! with the scenario's messages. It must never touch a real cloud.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use spillway_core::Catalog;
use spillway_engine::EngineConfig;
use spillway_runtime::{AcceleratedClock, Clock as _, Ports};
use spillway_sim::scenario::ScenarioError;
use spillway_sim::{Scenario, SimCloud, SimPorts};

use crate::error::Complaint;
use crate::spool::Spool;

/// The scenario in a file.
pub(crate) fn scenario(path: &Path) -> Result<Scenario, Complaint> {
    Scenario::load(path).map_err(|error| scenario_complaint(&error))
}

/// A scenario that comes with the program.
pub(crate) fn built_in(text: &str) -> Result<Scenario, Complaint> {
    Scenario::parse(text, None).map_err(|error| scenario_complaint(&error))
}

fn scenario_complaint(error: &ScenarioError) -> Complaint {
    match error {
        ScenarioError::Read { source, .. } => Complaint::usage(format!("{error}: {source}")),
        ScenarioError::Invalid { detail } => match detail.split_once("\nhint: ") {
            Some((wrong, hint)) => Complaint::usage(wrong).hint(hint),
            None => Complaint::usage(detail),
        },
    }
}

/// What a scenario's world sells.
pub(crate) fn catalog(scenario: &Scenario, now: Timestamp) -> Catalog {
    SimCloud::new(scenario.world.clone(), now).price_list(now)
}

/// A world that runs.
#[derive(Debug, Clone)]
pub(crate) struct World {
    scenario: Scenario,
    clock: AcceleratedClock,
    ports: SimPorts,
}

impl World {
    /// Starts it at `epoch`; it lives `speed` times as fast as we do.
    pub(crate) fn start(mut scenario: Scenario, speed: NonZeroU32, epoch: Timestamp) -> Self {
        scenario.start = epoch;
        let clock = AcceleratedClock::start(speed, epoch);
        let cloud = SimCloud::new(scenario.world.clone(), epoch);
        let ports = SimPorts::new(cloud, Arc::new(move || clock.now()));
        Self { scenario, clock, ports }
    }

    /// Its time.
    pub(crate) const fn clock(&self) -> AcceleratedClock {
        self.clock
    }

    /// The control loop's configuration.
    pub(crate) const fn engine(&self) -> &EngineConfig {
        &self.scenario.engine
    }

    /// How long it may take until all is done.
    pub(crate) fn gives_up_at(&self) -> Timestamp {
        self.scenario.start.saturating_add(self.scenario.limit).unwrap_or(Timestamp::MAX)
    }

    /// The cloud behind the ports.
    pub(crate) fn ports(&self) -> Ports<SimPorts, SimPorts, SimPorts, SimPorts, SimPorts> {
        let one = Arc::new(self.ports.clone());
        Ports {
            jobs: Arc::clone(&one),
            events: Arc::clone(&one),
            compute: Arc::clone(&one),
            cluster: Arc::clone(&one),
            prices: one,
        }
    }

    /// Looks at the cloud as it is now.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&SimCloud, Timestamp) -> R) -> R {
        self.ports.with_cloud(|cloud, now| look(cloud, now))
    }

    /// The bodies of all messages that are sent, in order of time.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.scenario.messages().into_iter().map(|sent| sent.body).collect()
    }

    /// Sends what others put into a folder, for as long as it can be read.
    pub(crate) async fn feed_from(&self, spool: &Spool) -> std::io::Result<()> {
        spool
            .take(|body| {
                self.ports.with_cloud(|cloud, now| cloud.send_message(now, body));
            })
            .await
    }

    /// Sends every message at its time. Cancel-safe: what is sent is sent.
    pub(crate) async fn feed(&self) {
        for message in self.scenario.messages() {
            self.clock.sleep_until(message.at).await;
            self.ports.with_cloud(|cloud, now| cloud.send_message(now, message.body));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_of_a_scenario_is_a_complaint_with_its_hint_apart() {
        let complaint = built_in("[faults]\nevent_loses = \"1%\"").unwrap_err();

        assert!(complaint.message.contains("event_loses"), "{complaint:?}");
        assert_eq!(complaint.hint.as_deref(), Some("did you mean `event_losses`?"));
    }

    #[test]
    fn a_missing_scenario_is_named() {
        let complaint = scenario(Path::new("nowhere.toml")).unwrap_err();

        assert!(complaint.message.starts_with("cannot read nowhere.toml: "), "{complaint:?}");
    }

    #[tokio::test]
    async fn a_world_is_fed_at_the_pace_of_its_clock() {
        let text = "[[workload.jobs]]\nname = \"a\"\ncount = 3\nvcpus = 1\nmemory = \"1GiB\"\nevery = \"1m\"";
        let speed = NonZeroU32::new(60_000).unwrap();
        let world = World::start(built_in(text).unwrap(), speed, Timestamp::UNIX_EPOCH);

        world.feed().await;

        let (n_messages, passed) = world.look(|cloud, now| {
            (cloud.job_queue().len(), now.duration_since(Timestamp::UNIX_EPOCH))
        });
        assert_eq!(n_messages, 3);
        assert!(jiff::SignedDuration::from_mins(2) <= passed, "{passed}");
    }
}
