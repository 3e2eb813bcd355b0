//! The rules of a retry held against a second, simple telling of them: AWS Batch's text, read sentence by sentence.

use proptest::prelude::*;
use spillway_core::job::{Attempt, BodyHash, JobState};
use spillway_core::message::{self, Request};
use spillway_core::retry::{ExitPattern, RetryRule};
use spillway_core::{AttemptOrd, HostId, JobId, LaunchId, MicroUsd};
use uuid::Uuid;

use super::*;

/// What one rule asks, as it is written.
#[derive(Debug, Clone)]
struct Rule {
    code: Option<String>,
    reason: Option<String>,
    status: Option<String>,
    failures: Vec<FailureCategory>,
    exits: bool,
}

/// How one attempt ended.
#[derive(Debug, Clone)]
struct End {
    code: Option<i32>,
    reason: Option<String>,
    status: String,
    failure: FailureCategory,
    has_task: bool,
}

/// What becomes of the job: it ended with this many attempts, or waits for more.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Failed(usize),
    Waits,
}

/// "It can optionally end with an asterisk so that only the start of the string needs to be an exact match."
fn glob(pattern: &str, text: &str) -> bool {
    let mut text = text.chars();
    let mut pattern = pattern.chars().peekable();
    while let Some(c) = pattern.next() {
        if c == '*' && pattern.peek().is_none() {
            return true;
        }
        if text.next() != Some(c) {
            return false;
        }
    }
    text.next().is_none()
}

/// "... if all of the specified conditions are met."
fn applies(rule: &Rule, end: &End) -> bool {
    let code = end.code.map_or(String::new(), |code| format!("{code}"));
    let mut conditions = Vec::new();
    if let Some(pattern) = &rule.code {
        conditions.push(glob(pattern, &code));
    }
    if let Some(pattern) = &rule.reason {
        conditions.push(glob(pattern, end.reason.as_deref().unwrap_or("")));
    }
    if let Some(pattern) = &rule.status {
        conditions.push(glob(pattern, &end.status));
    }
    if !rule.failures.is_empty() {
        conditions.push(rule.failures.contains(&end.failure));
    }
    conditions.into_iter().all(|met| met)
}

fn is_at_charge(failure: FailureCategory) -> bool {
    use FailureCategory::{Exit, Invalid, Oom, Terminated, Timeout};
    [Exit, Oom, Timeout, Terminated, Invalid].contains(&failure)
}

fn fate(attempts: u8, rules: &[Rule], ends: &[End]) -> Fate {
    let (mut n_charged, mut n_free, mut n_pulls) = (0_usize, 0, 0);
    for (index, end) in ends.iter().enumerate() {
        let n = index + 1;
        if is_at_charge(end.failure) {
            n_charged += 1;
        } else {
            n_free += 1;
        }
        if end.failure == FailureCategory::Pull {
            n_pulls += 1;
        }
        // "Not retried": whoever was ended by somebody, and what can never run.
        if [FailureCategory::Terminated, FailureCategory::Invalid].contains(&end.failure) {
            return Fate::Failed(n);
        }
        let rule = rules.iter().filter(|_| end.has_task).find(|rule| applies(rule, end));
        if rule.is_some_and(|rule| rule.exits) {
            return Fate::Failed(n);
        }
        // "If a job is terminated due to a timeout, it isn't retried": unless a rule of ours names it.
        let names_it = rule.is_some_and(|rule| rule.failures.contains(&end.failure));
        if end.failure == FailureCategory::Timeout && !names_it {
            return Fate::Failed(n);
        }
        // "If none of the listed conditions match, then the job is retried", while attempts are left.
        let is_over = if is_at_charge(end.failure) {
            n_charged >= usize::from(attempts)
        } else {
            let too_many_pulls = n_pulls >= 3 && n_pulls >= usize::from(attempts);
            n_free >= 20 || (end.failure == FailureCategory::Pull && too_many_pulls)
        };
        if is_over {
            return Fate::Failed(n);
        }
    }
    Fate::Waits
}

/// The same by the engine's own rules.
fn decided(attempts: u8, rules: &[Rule], ends: &[End]) -> Fate {
    let mut job = job(attempts, rules);
    for (index, end) in ends.iter().enumerate() {
        let attempt = attempt(index, end);
        job.attempts.push(attempt.clone());
        match decide(&job.spec, &job, &attempt) {
            Verdict::Fail { .. } => return Fate::Failed(job.attempts.len()),
            Verdict::Retry { after } => assert!(
                is_at_charge(end.failure) == (after == SignedDuration::ZERO)
                    || end.failure == FailureCategory::Spot,
                "only what a machine or a registry may need time for is held back"
            ),
            Verdict::Succeed => panic!("a failed attempt is no success"),
        }
    }
    Fate::Waits
}

fn job(attempts: u8, rules: &[Rule]) -> Job {
    let body = r#"{"jobName":"j","jobQueue":"q","jobDefinition":{"containerProperties":{"image":"i",
        "resourceRequirements":[{"type":"VCPU","value":"1"},{"type":"MEMORY","value":"512"}]}}}"#;
    let Request::Submit { spec, .. } = message::parse(body).unwrap().request else {
        panic!("it is a job");
    };
    let mut spec = *spec;
    spec.attempts = attempts;
    let pattern = |text: &Option<String>| text.clone().map(ExitPattern::new);
    let rule = |rule: &Rule| RetryRule {
        on_exit_code: pattern(&rule.code),
        on_reason: pattern(&rule.reason),
        on_status_reason: pattern(&rule.status),
        on_failure: rule.failures.clone(),
        action: if rule.exits { RetryAction::Exit } else { RetryAction::Retry },
    };
    spec.retry_rules = rules.iter().map(rule).collect();
    Job {
        id: JobId::from_uuid(Uuid::from_u128(1)),
        spec: std::sync::Arc::new(spec),
        body_hash: BodyHash(1),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        seq: 0,
        state: JobState::Submitted,
        attempts: Vec::new(),
        warnings: Vec::new(),
    }
}

fn attempt(index: usize, end: &End) -> Attempt {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let ord = (0..index).fold(AttemptOrd::FIRST, |ord, _| ord.next());
    let launch = LaunchId::derive(spillway_core::id::LedgerId::from_uuid(Uuid::from_u128(1)), 0);
    Attempt {
        ord,
        host: HostId::derive(launch, 0),
        instance: "i-0123456789abcdef0".parse().unwrap(),
        pool: spillway_core::PoolId {
            instance_type: "m5.large".into(),
            zone: "us-east-1a".parse().unwrap(),
            market: spillway_core::Market::Spot,
        },
        task: end.has_task.then(|| "arn:aws:ecs:us-east-1:1:task/c/t".parse().unwrap()),
        placed_at: now,
        started_at: None,
        stopped_at: now,
        exit_code: end.code,
        reason: end.status.clone(),
        container_reason: end.reason.clone(),
        containers: Box::default(),
        failure: Some(end.failure),
        cost: MicroUsd::ZERO,
        expected: None,
        shared: None,
        variant: spillway_core::VariantOrd::BASE,
    }
}

const FAILURES: [FailureCategory; 9] = [
    FailureCategory::Exit,
    FailureCategory::Oom,
    FailureCategory::Timeout,
    FailureCategory::Terminated,
    FailureCategory::Spot,
    FailureCategory::Host,
    FailureCategory::Pull,
    FailureCategory::Invalid,
    FailureCategory::Unknown,
];

fn any_failure() -> impl Strategy<Value = FailureCategory> {
    // Mostly what is tried again, so that jobs live long enough to reach their limits.
    let often = [0, 1, 4, 5, 6, 8];
    prop_oneof![
        8 => prop::sample::select(often.map(|i| FAILURES[i]).to_vec()),
        1 => prop::sample::select(FAILURES.to_vec()),
    ]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let code = prop::option::of(prop::sample::select(vec!["1", "13*", "137", "*", "0"]));
    let reasons = vec!["OutOfMemoryError*", "CannotPull*", "*", "outofmemoryerror*", "O*"];
    let statuses = vec!["Host EC2*", "Essential container in task exited", "Host*", "*", "h*"];
    let failures = prop::collection::vec(prop::sample::select(FAILURES.to_vec()), 0..3);
    let reason = prop::option::of(prop::sample::select(reasons));
    let status = prop::option::of(prop::sample::select(statuses));
    (code, reason, status, failures, any::<bool>()).prop_map(
        |(code, reason, status, failures, exits)| Rule {
            code: code.map(str::to_owned),
            reason: reason.map(str::to_owned),
            status: status.map(str::to_owned),
            failures,
            exits,
        },
    )
}

fn any_end() -> impl Strategy<Value = End> {
    let code = prop::option::of(prop::sample::select(vec![1, 13, 137, 139, 2]));
    let reasons = vec!["OutOfMemoryError: killed", "CannotPullContainerError: denied"];
    let statuses =
        vec!["Host EC2 (instance i-1) terminated.", "Essential container in task exited"];
    let reason = prop::option::of(prop::sample::select(reasons));
    (code, reason, prop::sample::select(statuses), any_failure(), prop::bool::weighted(0.9))
        .prop_map(|(code, reason, status, failure, has_task)| End {
            code,
            reason: reason.map(str::to_owned),
            status: status.to_owned(),
            failure,
            has_task,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn retries_follow_batchs_rules_as_a_second_telling_of_them_does(
        attempts in 1_u8..=10,
        rules in prop::collection::vec(any_rule(), 0..5),
        ends in prop::collection::vec(any_end(), 1..25),
    ) {
        prop_assert_eq!(decided(attempts, &rules, &ends), fate(attempts, &rules, &ends));
    }
}
