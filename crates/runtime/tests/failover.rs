//! Two dispatchers over one simulated cloud and one shared ledger, in paused time. Again and again the one that leads cannot reach the
//! table for longer than its lease: the other takes over, and when the first comes back it does no harm.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[cfg(test)]
#[path = "journal/table.rs"]
#[expect(dead_code, reason = "nothing goes wrong with this table but the way to it")]
mod table;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spillway_core::CloudError;
use spillway_core::port::{JobFilter, LedgerReader};
use spillway_core::table::{Item, Key, Table, TableError, Write};
use spillway_core::task::InstanceStatus;
use spillway_runtime::journal::{Journal, Standby};
use spillway_runtime::{
    AcceleratedClock, Clock, DriverError, Health, Ports, SqliteReader, Stopped, Turns,
};
use spillway_sim::{Scenario, SimCloud, SimPorts};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use table::MemoryTable;

/// Sixty jobs over ten minutes, so that there is something to start and to end at every take-over.
const SCENARIO: &str = r#"
seed = 5

[[workload.jobs]]
name = "small"
count = 40
vcpus = 0.5
memory = "512MiB"
duration = "1m"
over = "10m"

[[workload.jobs]]
name = "large"
count = 20
vcpus = 4
memory = "8GiB"
duration = "2m"
over = "10m"
"#;

const N_JOBS: usize = 60;

const N_TIMES: u32 = 20;

/// One dispatcher's way to the table.
#[derive(Debug, Clone)]
struct Way {
    table: MemoryTable,
    is_cut: Arc<AtomicBool>,
}

impl Way {
    fn open(&self) -> Result<&MemoryTable, TableError> {
        if !self.is_cut.load(Ordering::SeqCst) {
            return Ok(&self.table);
        }
        let (action, detail) = ("dynamodb:PutItem".to_owned(), "no way".to_owned());
        Err(TableError::Call(CloudError::Unsettled { action, detail }))
    }
}

impl Table for Way {
    async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.open()?.get(key).await
    }

    async fn list(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Item)>, TableError> {
        self.open()?.list(partition, after, limit).await
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.open()?.write(writes).await
    }
}

/// A dispatcher that runs.
struct Dispatcher {
    name: &'static str,
    path: PathBuf,
    way: Way,
    health: Health,
    running: JoinHandle<Result<Stopped, DriverError>>,
}

struct Rig {
    scenario: Scenario,
    ports: SimPorts,
    clock: AcceleratedClock,
    table: MemoryTable,
    folder: TempDir,
    stop: CancellationToken,
}

impl Rig {
    fn new() -> Self {
        let scenario = Scenario::parse(SCENARIO, None).expect("the scenario is good");
        let clock = AcceleratedClock::start(NonZeroU32::MIN, scenario.start);
        let cloud = SimCloud::new(scenario.world.clone(), scenario.start);
        let ports = SimPorts::new(cloud, Arc::new(move || Clock::now(&clock)));
        for message in scenario.messages() {
            ports.with_cloud(|cloud, now| cloud.send_message(now, message.body));
        }
        let (table, folder) = (MemoryTable::default(), TempDir::new().unwrap());
        Self { scenario, ports, clock, table, folder, stop: CancellationToken::new() }
    }

    fn journal(way: Way) -> Arc<Journal<Way>> {
        Arc::new(Journal::new(way, "the journal"))
    }

    fn start(&self, name: &'static str) -> Dispatcher {
        let way = Way { table: self.table.clone(), is_cut: Arc::default() };
        let path = self.folder.path().join(format!("{name}.db"));
        let standby = Standby::open(Self::journal(way.clone()), &path, name).unwrap();
        let one = Arc::new(self.ports.clone());
        let ports = Ports {
            jobs: Arc::clone(&one),
            events: Arc::clone(&one),
            compute: Arc::clone(&one),
            cluster: Arc::clone(&one),
            prices: one,
        };
        let health = Health::new();
        let turns = Turns {
            ports,
            engine: self.scenario.engine.clone(),
            clock: self.clock,
            tell: Arc::new(|_, _| None),
            health: health.clone(),
        };
        let running = tokio::spawn(turns.take(standby, self.stop.clone()));
        Dispatcher { name, path, way, health, running }
    }

    /// Who leads, and in which epoch.
    async fn leader(&self) -> Option<(String, u64)> {
        let way = Way { table: self.table.clone(), is_cut: Arc::default() };
        let lease = Self::journal(way).lease().await.unwrap()?;
        let name = lease.owner.split(' ').next()?.to_owned();
        (!lease.is_released).then_some((name, lease.epoch))
    }

    async fn until_other_leads(&self, epoch: u64) -> String {
        let give_up = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some((name, newer)) = self.leader().await
                && epoch < newer
            {
                return name;
            }
            assert!(Instant::now() < give_up, "nobody takes over");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn n_instances(&self) -> usize {
        let seen = self.ports.with_cloud(SimCloud::instances).expect("no fault is asked for");
        let is_up = |status| matches!(status, InstanceStatus::Pending | InstanceStatus::Running);
        seen.iter().filter(|instance| is_up(instance.status)).count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_reach_the_table_again_and_again_doubles_nothing_when_it_comes_back() {
    let rig = Rig::new();
    let dispatchers = [rig.start("a"), rig.start("b")];
    let mut longest = Duration::ZERO;

    for ord in 0..N_TIMES {
        // Odd times, so that it is cut off at another point of its work each time.
        tokio::time::sleep(Duration::from_millis(u64::from(ord) * 1_313 % 9_000)).await;
        let mut leader = rig.leader().await;
        while leader.is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            leader = rig.leader().await;
        }
        let (name, epoch) = leader.unwrap();
        let cut = dispatchers.iter().find(|one| one.name == name).unwrap();
        cut.way.is_cut.store(true, Ordering::SeqCst);
        let since = Instant::now();

        let next = rig.until_other_leads(epoch).await;

        assert_ne!(next, name);
        longest = longest.max(since.elapsed());
        cut.way.is_cut.store(false, Ordering::SeqCst);
    }
    assert!(longest < Duration::from_secs(15), "a take-over took {longest:?}");

    let is_done = |path: &PathBuf| {
        let state = SqliteReader::open(path).unwrap().state().unwrap();
        state.ended.len() == N_JOBS && state.jobs.is_empty() && state.hosts.is_empty()
    };
    while !dispatchers.iter().all(|one| is_done(&one.path)) {
        assert!(dispatchers.iter().all(|one| !one.running.is_finished()), "one ended by itself");
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(dispatchers.iter().filter(|one| one.health.is_ready()).count(), 1, "one is ready");
    rig.stop.cancel();
    let jobs = SqliteReader::open(&dispatchers[0].path).unwrap();
    let jobs = jobs.jobs(&JobFilter { limit: 1_000, ..JobFilter::default() }).unwrap();
    assert_eq!(jobs.len(), N_JOBS);
    for job in &jobs {
        assert_eq!(job.attempts.len(), 1, "{job:?}");
        assert_eq!(job.attempts[0].exit_code, Some(0), "{job:?}");
    }
    assert_eq!(rig.n_instances(), 0);
    for dispatcher in dispatchers {
        dispatcher.running.await.expect("it does not panic").expect("it stops in order");
    }
    assert_eq!(rig.leader().await, None, "the lease is given back");
}
