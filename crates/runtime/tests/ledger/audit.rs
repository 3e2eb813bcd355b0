//! The audit record: every commit leaves what happened in it, and a reader finds its way through a long one.

use jiff::{SignedDuration, Timestamp};
use spillway_core::host::DrainCause;
use spillway_core::job::Stop;
use spillway_core::port::Ledger;
use spillway_core::{
    ApprovedBurst, Asked, AuditEvent, AuditFilter, AuditKind, Burst, Change, Heard, HostState,
    JobState, MicroUsd, MicroUsdPerHour, Pausable, StopCause,
};
use spillway_runtime::SqliteLedger;
use spillway_runtime::ledger::{SqliteReader, verify};
use tempfile::TempDir;

use crate::sample::{
    add, add_child, add_node, array, at, attempt, breaker, child_id, end_children, gang, gone,
    held, job, job_id, launch_id, move_child, moved, named, open, put_host, put_launch, registered,
    running, schedule, settled, succeeded,
};

struct Rig {
    folder: TempDir,
    ledger: SqliteLedger,
}

impl Rig {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let ledger = SqliteLedger::open(&folder.path().join("ledger.db")).unwrap();
        Self { folder, ledger }
    }

    async fn commit(&mut self, secs: i64, changes: &[Change]) {
        let counted = [changes, &[Change::Counters { n_launches: 9, n_jobs: 100 }]].concat();
        self.ledger.commit(at(secs), &counted).await.unwrap();
    }

    fn reader(&self) -> SqliteReader {
        SqliteReader::open(&self.folder.path().join("ledger.db")).unwrap()
    }

    fn events(&self, filter: &AuditFilter) -> Vec<AuditEvent> {
        let limit = if filter.limit == 0 { 1_000 } else { filter.limit };
        self.reader().events(&AuditFilter { limit, ..filter.clone() }).unwrap()
    }

    fn all(&self) -> Vec<AuditEvent> {
        self.events(&AuditFilter::default())
    }

    fn flaws(&self) -> Vec<verify::Flaw> {
        verify::verify(&self.folder.path().join("ledger.db")).unwrap().flaws
    }
}

fn kinds(events: &[AuditEvent]) -> Vec<&'static str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

fn numbers(events: &[AuditEvent]) -> Vec<u64> {
    events.iter().map(|event| event.n).collect()
}

fn heard(asked: Asked) -> Change {
    let (message, sender) = ("m-1".to_owned(), Some("AROAEXAMPLE:ci".to_owned()));
    Change::Heard(Box::new(Heard { message, sender, asked }))
}

fn starting(n: u32) -> JobState {
    let JobState::Running { attempt, .. } = running(n) else { panic!("it runs") };
    JobState::Starting { attempt }
}

fn stopping() -> JobState {
    let JobState::Running { mut attempt, started_at } = running(2) else { panic!("it runs") };
    let cause = StopCause::Terminated { reason: "not needed".into() };
    attempt.stop = Some(Stop { since: at(75), cause });
    JobState::Running { attempt, started_at }
}

#[tokio::test]
async fn a_job_is_told_from_its_message_to_its_end() {
    let mut rig = Rig::new();
    let terminate = Asked::end(&job_id(1).into(), "not needed", true);
    rig.commit(0, &[heard(Asked::Submit { job: job_id(1) }), add(&job(1))]).await;
    rig.commit(10, &[put_host(1, registered())]).await;
    rig.commit(20, &[moved(1, starting(1), None)]).await;
    rig.commit(30, &[moved(1, running(1), None)]).await;
    // More is known of its attempt, and nothing has happened.
    rig.commit(31, &[moved(1, running(1), None)]).await;
    let retried = JobState::Runnable { since: at(50) };
    rig.commit(50, &[moved(1, retried, Some(attempt(1)))]).await;
    rig.commit(60, &[moved(1, starting(2), None), moved(1, running(2), None)]).await;
    rig.commit(75, &[heard(terminate), moved(1, stopping(), None)]).await;
    let failed = JobState::Failed { at: at(90), reason: "not needed".into() };
    rig.commit(90, &[moved(1, failed, Some(attempt(2)))]).await;

    let told = rig.events(&AuditFilter { job: Some(job_id(1)), ..AuditFilter::default() });

    assert_eq!(
        kinds(&told),
        [
            "job-accepted",
            "attempt-placed",
            "attempt-running",
            "attempt-ended",
            "job-waiting",
            "attempt-placed",
            "attempt-running",
            "order-terminate",
            "attempt-stopping",
            "attempt-ended",
            "job-ended",
        ]
    );
    let accepted = &told[0].detail;
    assert_eq!(accepted.sender.as_deref(), Some("AROAEXAMPLE:ci"));
    assert_eq!(accepted.message.as_deref(), Some("m-1"));
    let ended = &told[3].detail;
    assert_eq!((ended.exit_code, ended.cost), (Some(3), Some(MicroUsd::new(1_234))));
    assert_eq!(ended.price, Some(MicroUsdPerHour::new(30_000)));
    assert_eq!(told[7].detail.sender.as_deref(), Some("AROAEXAMPLE:ci"));
    assert_eq!(told[8].detail.reason.as_deref(), Some("not needed"));
    assert_eq!(told[10].detail.reason.as_deref(), Some("not needed"));
    assert_eq!(rig.flaws(), []);
}

#[tokio::test]
async fn an_attempt_under_way_names_its_host_and_what_that_costs() {
    let mut rig = Rig::new();
    rig.commit(0, &[add(&job(1)), put_host(1, registered()), moved(1, running(1), None)]).await;

    let told = rig.all();

    let placed = &told.last().unwrap().detail;
    assert_eq!(
        placed.instance.as_ref().map(spillway_core::InstanceId::as_str),
        Some("i-0123456789abcdef0")
    );
    assert_eq!(placed.price, Some(MicroUsdPerHour::new(30_000)));
}

#[tokio::test]
async fn a_host_is_told_from_the_decision_to_its_bill() {
    let mut rig = Rig::new();
    let decided = spillway_core::LaunchState::Open { retry_at: at(0), n_failed: 0 };
    rig.commit(0, &[put_host(1, HostState::Requested), put_launch(1, at(0), decided)]).await;
    rig.commit(5, &[put_launch(1, at(0), open())]).await;
    rig.commit(8, &[put_launch(1, at(0), settled())]).await;
    rig.commit(40, &[put_host(1, registered())]).await;
    // Written again with each job that is placed on it.
    rig.commit(41, &[put_host(1, registered())]).await;
    rig.commit(99, &[put_host(1, gone())]).await;

    let told = rig.all();

    let expected =
        ["launch-decided", "launch-unanswered", "launch-answered", "host-registered", "host-gone"];
    assert_eq!(kinds(&told), expected);
    let decided = &told[0].detail;
    assert_eq!((decided.launch, decided.count), (Some(launch_id(1)), Some(1)));
    assert_eq!(decided.choices[0].price, MicroUsdPerHour::new(30_000));
    let answered = &told[2].detail;
    assert_eq!(answered.request_id.as_deref(), Some("59dbff89-35bd-4eac-99ed-be587EXAMPLE"));
    assert!(answered.reason.as_ref().unwrap().starts_with("InsufficientInstanceCapacity"));
    assert_eq!(told[4].detail.cost, Some(MicroUsd::new(500)));
}

#[tokio::test]
async fn a_spot_host_that_is_taken_back_is_told_once_as_that() {
    let mut rig = Rig::new();
    let leaving = |draining: bool| {
        let HostState::Registered { instance, container_instance, .. } = registered() else {
            panic!("it is registered")
        };
        let (container_instance, since) = (Some(container_instance), at(50));
        let cause = DrainCause::SpotInterruption;
        if draining {
            HostState::Draining { instance, container_instance, since, cause }
        } else {
            HostState::Terminating { instance, container_instance, since, cause }
        }
    };
    rig.commit(0, &[put_host(1, registered())]).await;
    rig.commit(50, &[put_host(1, leaving(true))]).await;
    rig.commit(60, &[put_host(1, leaving(false))]).await;

    let expected = ["host-registered", "host-interrupted", "host-draining", "host-terminating"];
    assert_eq!(kinds(&rig.all()), expected);
}

#[tokio::test]
async fn orders_and_what_was_refused_name_who_asked() {
    let mut rig = Rig::new();
    let queue = Pausable::Queue("default".parse().unwrap());
    let refused = Asked::Refused { code: "UNKNOWN_QUEUE".into(), reason: "there is none".into() };
    rig.commit(0, &[heard(Asked::Pause { target: queue.clone() })]).await;
    rig.commit(1, &[heard(Asked::Resume { target: queue }), heard(refused)]).await;
    rig.commit(2, &[breaker(true)]).await;
    rig.commit(3, &[breaker(true)]).await;
    rig.commit(4, &[breaker(false)]).await;

    let told = rig.all();

    let expected =
        ["order-pause", "order-resume", "message-refused", "breaker-opened", "breaker-closed"];
    assert_eq!(kinds(&told), expected);
    assert_eq!(told[0].detail.target.as_deref(), Some("queue default"));
    assert_eq!(told[2].detail.code.as_deref(), Some("UNKNOWN_QUEUE"));
    assert!(told[..3].iter().all(|event| event.detail.sender.is_some()));
    assert_eq!(told[3].detail.target.as_deref(), Some("image busybox:nope"));
}

#[tokio::test]
async fn a_burst_is_told_when_it_is_held_approved_and_over() {
    let mut rig = Rig::new();
    let put = |held, approved| Change::PutBurst(Box::new(Burst { held, approved }));
    let approved = ApprovedBurst { held: held(), at: at(60), sender: Some("AROAOPS:me".into()) };
    rig.commit(0, &[put(Some(held()), None)]).await;
    rig.commit(1, &[put(Some(held()), None)]).await;
    rig.commit(2, &[put(None, Some(approved))]).await;
    rig.commit(3, &[put(None, None)]).await;

    let told = rig.all();

    assert_eq!(kinds(&told), ["burst-held", "burst-approved", "burst-over"]);
    let hash = format!("burst {}", held().hash());
    assert!(told.iter().all(|event| event.detail.target.as_ref() == Some(&hash)));
    assert_eq!(told[1].detail.sender.as_deref(), Some("AROAOPS:me"));
    assert_eq!(told[0].detail.price, Some(held().price));
}

#[tokio::test]
async fn a_job_of_a_schedule_names_it_and_whoever_made_it() {
    let mut rig = Rig::new();
    let fired = Change::PutSchedule(Box::new(schedule("nightly")));
    rig.commit(0, &[add(&job(0)), fired]).await;

    let told = rig.all();

    assert_eq!(kinds(&told), ["job-accepted"]);
    assert_eq!(told[0].detail.target.as_deref(), Some("schedule nightly"));
    assert_eq!(told[0].detail.sender.as_deref(), Some("AROAEXAMPLE:s"));
}

#[tokio::test]
async fn children_and_nodes_are_told_by_themselves_and_found_by_the_whole() {
    let mut rig = Rig::new();
    rig.commit(0, &[add(&array(4)), add(&gang(10)), add(&job(30))]).await;
    rig.commit(1, &[add_child(4, 1, starting(1)), add_node(10, 2, starting(1))]).await;
    let ended = move_child(4, 1, JobState::Succeeded { at: at(90) }, Some(attempt(1)));
    rig.commit(2, &[ended, end_children(4, &[(2, 4)])]).await;
    let of = |job| rig.events(&AuditFilter { job: Some(job), ..AuditFilter::default() });

    let (whole, child, node) = (of(job_id(4)), of(child_id(4, 1)), of(job_id(10).node(2)));

    let expected =
        ["job-accepted", "attempt-placed", "attempt-ended", "job-ended", "job-children-ended"];
    assert_eq!(kinds(&whole), expected);
    assert_eq!(whole[4].detail.count, Some(3));
    assert_eq!(kinds(&child), ["attempt-placed", "attempt-ended", "job-ended"]);
    assert!(child.iter().all(|event| event.job == Some(child_id(4, 1))));
    assert_eq!(node.iter().map(|e| e.job).collect::<Vec<_>>(), [Some(job_id(10).node(2))]);
    assert!(of(job_id(99)).is_empty());
    assert_eq!(rig.flaws(), []);
}

#[tokio::test]
async fn pages_in_either_direction_are_the_whole() {
    let mut rig = Rig::new();
    for n in 0..25 {
        rig.commit(i64::try_from(n).unwrap(), &[add(&job(n)), succeeded(n)]).await;
    }
    let all = rig.all();
    assert_eq!(numbers(&all), (1..=50).collect::<Vec<_>>());

    let mut forward: Vec<AuditEvent> = Vec::new();
    let mut backward: Vec<AuditEvent> = Vec::new();
    loop {
        let after = Some(forward.last().map_or(0, |event| event.n));
        let page = rig.events(&AuditFilter { after, limit: 7, ..AuditFilter::default() });
        if page.is_empty() {
            break;
        }
        forward.extend(page);
    }
    loop {
        let before = backward.first().map(|event| event.n);
        let mut page = rig.events(&AuditFilter { before, limit: 7, ..AuditFilter::default() });
        if page.is_empty() {
            break;
        }
        page.extend(backward);
        backward = page;
    }

    assert_eq!(forward, all);
    assert_eq!(backward, all);
}

#[tokio::test]
async fn a_time_a_queue_and_a_kind_leave_out_the_rest() {
    let mut rig = Rig::new();
    for n in 0..20 {
        let queue = if n % 4 == 0 { "other" } else { "default" };
        rig.commit(i64::try_from(n).unwrap(), &[add(&named(job(n), "n", queue)), succeeded(n)])
            .await;
    }
    let between = |from: i64, until: i64| AuditFilter {
        since: Some(at(from)),
        until: Some(at(until)),
        ..AuditFilter::default()
    };
    let queue = Some("other".parse().unwrap());

    let some = rig.events(&between(5, 8));
    let others = rig.events(&AuditFilter { queue, ..between(0, 100) });
    let kinds_of = AuditFilter { kinds: vec![AuditKind::JobEnded], ..between(19, 100) };

    assert_eq!(numbers(&some), [11, 12, 13, 14, 15, 16]);
    assert_eq!(others.len(), 10);
    assert_eq!(numbers(&rig.events(&kinds_of)), [40]);
    assert!(rig.events(&between(20, 30)).is_empty() && rig.events(&between(-9, 0)).is_empty());
}

#[tokio::test]
async fn a_clock_that_goes_back_leaves_the_order_as_it_is() {
    let mut rig = Rig::new();
    rig.commit(100, &[add(&job(0))]).await;
    rig.commit(10, &[add(&job(1))]).await;

    let told = rig.all();

    let at_100 = Timestamp::from_millisecond(at(100).as_millisecond()).unwrap();
    assert!(told.iter().all(|event| event.at == at_100), "{told:?}");
    let later = at(100) + SignedDuration::from_secs(1);
    assert!(rig.events(&AuditFilter { since: Some(later), ..AuditFilter::default() }).is_empty());
    assert_eq!(rig.flaws(), []);
}
