//! A log that grows, with a course of what the ledger shows and a log that is read by pieces.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use spillway_core::job::Attempt;
use spillway_core::job::{BodyHash, ContainerSpec, JobSpec, LiveAttempt};
use spillway_core::{
    AttemptOrd, CpuUnits, HostId, JobId, JobState, LaunchId, Market, MiB, MicroUsd, PoolId,
    Resources, VariantOrd,
};

use super::*;
use crate::output::{Color, Format};

const TASK: &str = "arn:aws:ecs:us-east-1:1:task/spillway/t";

fn job(state: JobState) -> Job {
    let resources = Resources::new(CpuUnits::from_vcpus(1), MiB::new(512), 0);
    let (name, queue) = ("align".parse().unwrap(), "q".parse().unwrap());
    let spec = JobSpec::new(name, queue, ContainerSpec::new("busybox"), resources);
    Job {
        id: JobId::derive(&spec.queue, "t"),
        spec: Arc::new(spec),
        body_hash: BodyHash(1),
        created_at: Timestamp::UNIX_EPOCH,
        seq: 1,
        state,
        attempts: Vec::new(),
        warnings: Vec::new(),
    }
}

/// An attempt that runs; its task is named after it.
fn running(ord: u32) -> Job {
    let attempt = LiveAttempt {
        ord: AttemptOrd::new(ord).unwrap(),
        host: HostId::derive(LaunchId::derive(ledger(), 1), 0),
        placed_at: Timestamp::UNIX_EPOCH,
        task: Some(format!("{TASK}{ord}").parse().unwrap()),
        awaits_main: false,
        variant: VariantOrd::default(),
        task_version: 1,
        stop: None,
        expected: None,
        shared: None,
    };
    job(JobState::Running { attempt, started_at: Timestamp::UNIX_EPOCH })
}

fn ledger() -> spillway_core::id::LedgerId {
    spillway_core::id::LedgerId::from_uuid(uuid::Uuid::from_u128(8))
}

fn waiting() -> Job {
    job(JobState::Runnable { since: Timestamp::UNIX_EPOCH })
}

fn wish() -> Wish<'static> {
    Wish { attempt: None, container: None, group: Some("/spillway/test") }
}

/// Each look finds the next of these, and then the last again and again.
struct Course {
    jobs: RefCell<Vec<Job>>,
}

impl Course {
    fn look(&self) -> Option<Job> {
        let mut jobs = self.jobs.borrow_mut();
        if 1 < jobs.len() { Some(jobs.remove(0)) } else { jobs.first().cloned() }
    }
}

/// A log of two lines for every stream, one more each time that it is read. Counts what was read of which.
#[derive(Default)]
struct Growing {
    read: RefCell<Vec<String>>,
    n_asked: Cell<u32>,
}

impl Source for Growing {
    async fn page(&self, place: &Place, from: Option<&str>) -> Result<Option<Page>> {
        self.n_asked.set(self.n_asked.get() + 1);
        let at: usize = from.map_or(0, |from| from.parse().unwrap());
        if at == 2 {
            return Ok(Some(Page { lines: Vec::new(), next: Some("2".to_owned()) }));
        }
        let message = format!("{} line {at}", place.stream);
        self.read.borrow_mut().push(message.clone());
        let lines = vec![Line { at: Timestamp::UNIX_EPOCH, message }];
        Ok(Some(Page { lines, next: Some((at + 1).to_string()) }))
    }
}

async fn follow(jobs: Vec<Job>) -> (Result<ExitStatus>, Vec<String>) {
    let (course, source) = (Course { jobs: RefCell::new(jobs) }, Growing::default());
    let output = Output::of_process(Format::Human, Color::Never);
    let follow = Follow { wish: wish(), timestamps: false, output: &output };
    let ended = follow.run(&source, &|| Ok(course.look()), Duration::ZERO).await;
    (ended, source.read.into_inner())
}

/// An attempt that is over.
fn over(ord: u32, has_task: bool) -> Attempt {
    Attempt {
        ord: AttemptOrd::new(ord).unwrap(),
        host: HostId::derive(LaunchId::derive(ledger(), 1), 0),
        instance: "i-0123456789abcdef0".parse().unwrap(),
        pool: PoolId {
            instance_type: "c6a.large".into(),
            zone: "us-east-1a".parse().unwrap(),
            market: Market::Spot,
        },
        task: has_task.then(|| format!("{TASK}{ord}").parse().unwrap()),
        variant: VariantOrd::default(),
        placed_at: Timestamp::UNIX_EPOCH,
        started_at: None,
        stopped_at: Timestamp::UNIX_EPOCH,
        exit_code: Some(1),
        reason: "exit code 1".to_owned(),
        container_reason: None,
        containers: Box::default(),
        failure: None,
        cost: MicroUsd::ZERO,
        expected: None,
        shared: None,
    }
}

fn with(mut job: Job, attempts: Vec<Attempt>) -> Job {
    job.attempts = attempts;
    job
}

fn failed(attempts: Vec<Attempt>) -> Job {
    let reason = "exit code 1".to_owned();
    with(job(JobState::Failed { at: Timestamp::UNIX_EPOCH, reason }), attempts)
}

#[tokio::test]
async fn a_job_is_waited_for_and_its_log_read_to_its_end() {
    let jobs = vec![waiting(), waiting(), running(1), running(1), failed(vec![over(1, true)])];

    let (ended, read) = follow(jobs).await;

    assert_eq!(ended.unwrap(), ExitStatus::Ok);
    assert_eq!(read, ["spillway/job/t1 line 0", "spillway/job/t1 line 1"]);
}

#[tokio::test]
async fn the_log_of_the_next_attempt_follows() {
    let again = || with(waiting(), vec![over(1, true)]);
    let second = with(running(2), vec![over(1, true)]);
    let mut jobs = vec![running(1)];
    jobs.extend((0..8).map(|_| again()));
    jobs.push(second);
    jobs.push(failed(vec![over(1, true), over(2, true)]));

    let (ended, read) = follow(jobs).await;

    assert_eq!(ended.unwrap(), ExitStatus::Ok);
    let streams: Vec<&str> = read.iter().map(|line| &line[..15]).collect();
    assert_eq!(
        streams,
        ["spillway/job/t1", "spillway/job/t1", "spillway/job/t2", "spillway/job/t2"]
    );
}

#[tokio::test]
async fn no_attempt_is_passed_over_though_it_ends_before_anybody_looks() {
    let all = || vec![over(1, true), over(2, true), over(3, true)];
    let jobs = vec![running(1), failed(all())];

    let (ended, read) = follow(jobs).await;

    assert_eq!(ended.unwrap(), ExitStatus::Ok);
    let streams: Vec<&str> = read.iter().map(|line| &line[14..15]).collect();
    assert_eq!(streams, ["1", "1", "2", "2", "3", "3"]);
}

#[tokio::test]
async fn who_has_waited_for_a_job_is_shown_its_first_attempt_though_it_has_ended() {
    let jobs = vec![waiting(), failed(vec![over(1, true), over(2, true)])];

    let (ended, read) = follow(jobs).await;

    assert_eq!(ended.unwrap(), ExitStatus::Ok);
    let streams: Vec<&str> = read.iter().map(|line| &line[14..15]).collect();
    assert_eq!(streams, ["1", "1", "2", "2"]);
}

#[tokio::test]
async fn a_job_that_ended_without_a_task_has_no_log_and_says_so() {
    let (ended, read) = follow(vec![waiting(), failed(vec![over(1, false)])]).await;

    let said = ended.unwrap_err().to_string();
    assert!(said.contains("FAILED") && said.contains("no task"), "{said}");
    assert!(read.is_empty(), "{read:?}");
}

#[test]
fn the_newest_attempt_with_a_task_is_meant_unless_another_is_named() {
    let job = failed(vec![over(1, true), over(2, true), over(3, false)]);
    let stream = |attempt| place::of(&job, &Wish { attempt, ..wish() }).map(|place| place.stream);

    assert_eq!(stream(None).unwrap(), "spillway/job/t2");
    assert_eq!(stream(Some(1)).unwrap(), "spillway/job/t1");
    assert!(stream(Some(3)).unwrap_err().message.contains("attempt 3"));
}

#[test]
fn what_can_never_be_read_is_said_at_once() {
    let job = running(1);
    let said = |wish: Wish<'_>| place::of(&job, &wish).unwrap_err();

    assert!(said(Wish { group: None, ..wish() }).message.contains("log group"));
    assert!(said(Wish { container: Some("proxy"), ..wish() }).message.contains("proxy"));
}
