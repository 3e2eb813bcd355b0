//! The real loop and the real ledger over the simulated cloud, in paused time: from the first message to the last
//! machine given back, once straight through and once with the dispatcher killed again and again.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use spillway_core::JobState;
use spillway_core::error::LedgerError;
use spillway_core::port::{JobFilter, LedgerReader};
use spillway_core::task::InstanceStatus;
use spillway_runtime::{
    AcceleratedClock, DriverError, Health, Ports, SqliteLedger, SqliteReader, Stopped, driver,
};
use spillway_sim::{Scenario, SimCloud, SimPorts};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Fifty jobs of three shapes; some fail, and Spot hosts are taken away.
const SCENARIO: &str = r#"
seed = 11
[world]
interruptions = "20%"

[[workload.jobs]]
name = "small"
count = 30
vcpus = 0.5
memory = "512MiB"
duration = "2m"
over = "1m"

[[workload.jobs]]
name = "large"
count = 15
vcpus = 4
memory = "8GiB"
duration = "6m"
over = "1m"

[[workload.jobs]]
name = "failing"
count = 5
vcpus = 1
memory = "1GiB"
duration = "30s"
exits = { 3 = 100 }
"#;

const N_JOBS: usize = 50;

struct Rig {
    scenario: Scenario,
    ports: SimPorts,
    clock: AcceleratedClock,
    path: PathBuf,
    _folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        let scenario = Scenario::parse(SCENARIO, None).expect("the scenario is good");
        let clock = AcceleratedClock::start(NonZeroU32::MIN, scenario.start);
        let cloud = SimCloud::new(scenario.world.clone(), scenario.start);
        let ports = SimPorts::new(cloud, Arc::new(move || spillway_runtime::Clock::now(&clock)));
        for message in scenario.messages() {
            ports.with_cloud(|cloud, now| cloud.send_message(now, message.body));
        }
        let folder = TempDir::new().expect("there is room for a folder");
        let path = folder.path().join("ledger.db");
        Self { scenario, ports, clock, path, _folder: folder }
    }

    async fn start(&self, stop: &CancellationToken) -> JoinHandle<Result<Stopped, DriverError>> {
        let one = Arc::new(self.ports.clone());
        let ports = Ports {
            jobs: Arc::clone(&one),
            events: Arc::clone(&one),
            compute: Arc::clone(&one),
            cluster: Arc::clone(&one),
            prices: one,
        };
        let ledger = open_ledger(&self.path).await;
        let config = self.scenario.engine.clone();
        tokio::spawn(driver::run(ports, ledger, config, self.clock, stop.clone(), Health::new()))
    }

    /// Instances that are paid for.
    fn n_instances(&self) -> usize {
        let seen = self.ports.with_cloud(SimCloud::instances).expect("no fault is asked for");
        let is_up = |status| matches!(status, InstanceStatus::Pending | InstanceStatus::Running);
        seen.iter().filter(|instance| is_up(instance.status)).count()
    }

    fn is_done(&self) -> bool {
        let reader = SqliteReader::open(&self.path).expect("the ledger is there");
        let state = reader.state().expect("the ledger is read");
        state.ended.len() == N_JOBS && state.jobs.is_empty() && state.hosts.is_empty()
    }

    /// Every job has ended once, as its container did, and nothing is left that costs.
    fn check_the_end(&self) {
        let reader = SqliteReader::open(&self.path).expect("the ledger is there");
        let filter = JobFilter { limit: 1_000, ..JobFilter::default() };
        let jobs = reader.jobs(&filter).expect("the ledger is read");
        assert_eq!(jobs.len(), N_JOBS);
        for job in &jobs {
            let is_failing = job.spec.name.as_str().starts_with("failing");
            let code = job.attempts.last().and_then(|attempt| attempt.exit_code);
            assert_eq!(code, Some(if is_failing { 3 } else { 0 }), "{job:?}");
            assert_eq!(is_failing, matches!(job.state, JobState::Failed { .. }), "{job:?}");
        }
        assert_eq!(self.n_instances(), 0);
        let hosts = reader.hosts(true).expect("the ledger is read");
        let launches = reader.launches(1_000).expect("the ledger is read");
        assert!(!hosts.is_empty() && !launches.is_empty());
        let n_queued = self.ports.with_cloud(|cloud, _| cloud.job_queue().len());
        assert_eq!(n_queued, 0, "every message was deleted");
    }
}

/// A commit of the dispatcher before may still be under way; it holds the lock until it has ended.
async fn open_ledger(path: &Path) -> SqliteLedger {
    for _ in 0..1_000 {
        match SqliteLedger::open(path) {
            Err(LedgerError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
            opened => return opened.expect("the ledger opens"),
        }
        // Paused time does not wait for the blocking thread that has the lock.
        tokio::task::spawn_blocking(std::thread::yield_now).await.expect("it yields");
    }
    panic!("the ledger stays locked")
}

#[tokio::test(start_paused = true)]
async fn fifty_jobs_come_to_their_end_and_every_host_is_given_back() {
    let rig = Rig::new();
    let stop = CancellationToken::new();
    let driver = rig.start(&stop).await;

    while !rig.is_done() {
        assert!(!driver.is_finished(), "the dispatcher ended by itself");
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    stop.cancel();
    let stopped = driver.await.expect("it does not panic").expect("it stops in order");

    assert_eq!((stopped.n_open_jobs, stopped.n_hosts), (0, 0));
    rig.check_the_end();
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_is_killed_again_and_again_loses_nothing() {
    let rig = Rig::new();
    let mut n_killed = 0_u32;
    let mut driver = rig.start(&CancellationToken::new()).await;

    // Odd times, so that it dies at another point of its work each time.
    while !rig.is_done() {
        tokio::time::sleep(Duration::from_millis(7_313)).await;
        assert!(!driver.is_finished(), "the dispatcher ended by itself");
        if n_killed < 60 {
            driver.abort();
            let ended = driver.await;
            assert!(ended.is_err_and(|error| error.is_cancelled()));
            n_killed += 1;
            driver = rig.start(&CancellationToken::new()).await;
        }
    }

    assert!(20 < n_killed, "{n_killed}");
    rig.check_the_end();
}
