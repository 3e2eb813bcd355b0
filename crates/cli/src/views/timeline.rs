//! What happened to a job, in order of time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use spillway_core::{Host, HostId, Job, JobState};

use super::{span_text, time_text};
use crate::output::Rows;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// To which attempt; none to the job itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// What, for people.
    pub what: String,
}

/// Everything that happened to a job, on these hosts.
pub(crate) fn timeline(job: &Job, hosts: &BTreeMap<HostId, Host>) -> Vec<Moment> {
    let priced =
        |id: HostId| hosts.get(&id).map(|host| format!(" at {}", host.price)).unwrap_or_default();
    let mut moments = vec![Moment { at: job.created_at, attempt: None, what: "accepted".into() }];
    let mut add = |at, attempt, what| moments.push(Moment { at, attempt, what });
    for attempt in &job.attempts {
        let ord = Some(attempt.ord.get());
        let price = priced(attempt.host);
        let what = format!("given to {} ({}){price}", attempt.instance, attempt.pool);
        add(attempt.placed_at, ord, what);
        if let Some(at) = attempt.started_at {
            add(at, ord, "running".to_owned());
        }
        let exit = attempt.exit_code.map(|code| format!("exit code {code}: "));
        let what = format!("ended: {}{}", exit.unwrap_or_default(), attempt.told());
        add(attempt.stopped_at, ord, what);
    }
    if let Some(live) = job.state.live_attempt() {
        let ord = Some(live.ord.get());
        let price = priced(live.host);
        let host = hosts.get(&live.host).map_or_else(
            || "a host".to_owned(),
            |host| {
                let instance = host.instance().map(|instance| format!("{} ", instance.id));
                format!("{}({})", instance.unwrap_or_default(), host.pool)
            },
        );
        let task = live.shared.as_ref().map(|shared| format!(", in a task of {}", shared.n));
        let task = task.unwrap_or_default();
        add(live.placed_at, ord, format!("given to {host}{price}{task}"));
        if let JobState::Running { started_at, .. } = &job.state {
            add(*started_at, ord, "running".to_owned());
        }
        if let Some(stop) = &live.stop {
            add(stop.since, ord, format!("being stopped: {}", stop.cause.reason()));
        }
    }
    if let JobState::Succeeded { at } | JobState::Failed { at, .. } = &job.state {
        add(*at, None, job.state.status().to_string());
    }
    // Of equal times the earlier one named stays first.
    moments.sort_by_key(|moment| moment.at);
    moments
}

/// The same for people: how long after the acceptance, when, and what.
pub(crate) fn timeline_table(moments: &[Moment]) -> Rows {
    let mut table = Rows::new(&["AFTER", "WHEN", "WHAT"]);
    let began_at = moments.first().map(|moment| moment.at);
    for moment in moments {
        let after = began_at.map(|began_at| span_text(moment.at.duration_since(began_at)));
        let of = moment.attempt.map(|ord| format!("attempt {ord} ")).unwrap_or_default();
        table.row([
            after.unwrap_or_default().into(),
            time_text(moment.at).into(),
            format!("{of}{}", moment.what).into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::SignedDuration;
    use spillway_core::job::BodyHash;
    use spillway_core::message::{self, Request};
    use spillway_core::{
        Attempt, AttemptOrd, FailureCategory, HostId, JobId, Market, MicroUsd, PoolId,
    };

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(secs)
    }

    fn failed_job() -> Job {
        let body = r#"{"jobName":"a","jobQueue":"q","jobDefinition":{"type":"container",
            "containerProperties":{"image":"busybox","resourceRequirements":[
            {"type":"VCPU","value":"1"},{"type":"MEMORY","value":"512"}]}}}"#;
        let Request::Submit { spec, .. } = message::parse(body).unwrap().request else {
            panic!("it is a job")
        };
        let attempt = Attempt {
            ord: AttemptOrd::FIRST,
            host: HostId::adopted(&"i-0123456789abcdef0".parse().unwrap()),
            instance: "i-0123456789abcdef0".parse().unwrap(),
            pool: PoolId {
                instance_type: "c7g.large".into(),
                zone: "us-east-1a".parse().unwrap(),
                market: Market::Spot,
            },
            task: None,
            placed_at: at(60),
            started_at: Some(at(70)),
            stopped_at: at(100),
            exit_code: Some(3),
            reason: "Essential container in task exited".into(),
            container_reason: None,
            containers: Box::default(),
            failure: Some(FailureCategory::Exit),
            cost: MicroUsd::new(10),
            expected: None,
            shared: None,
            variant: spillway_core::VariantOrd::BASE,
        };
        Job {
            id: JobId::derive(&spec.queue, "t"),
            spec: Arc::from(spec),
            body_hash: BodyHash(1),
            created_at: at(0),
            seq: 1,
            state: JobState::Failed { at: at(100), reason: attempt.reason.clone() },
            attempts: vec![attempt],
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_job_is_told_from_its_acceptance_to_its_end() {
        let told: Vec<String> = timeline(&failed_job(), &BTreeMap::new())
            .iter()
            .map(|m| format!("{} {}", m.at, m.what))
            .collect();

        assert_eq!(
            told,
            [
                "1970-01-01T00:00:00Z accepted",
                "1970-01-01T00:01:00Z given to i-0123456789abcdef0 (c7g.large/us-east-1a/spot)",
                "1970-01-01T00:01:10Z running",
                "1970-01-01T00:01:40Z ended: exit code 3: Essential container in task exited",
                "1970-01-01T00:01:40Z FAILED",
            ]
        );
    }
}
