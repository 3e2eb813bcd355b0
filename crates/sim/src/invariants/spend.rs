//! Money: nothing is paid without a purpose for long, and nothing is bought twice.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use spillway_core::message::{self, Request};
use spillway_core::{Host, HostState, JobId, LaunchId};

use super::{Invariants, Moment};
use crate::cloud::SimCloud;
use crate::ec2::SimInstance;
use crate::ledger::MemoryLedger;

/// How long an instance may be paid without a task, beside twice the idle time-out: 15 minutes until one that does not register is
/// given up, 15 until the look that finds one without a record, and as much again for refused, lost and repeated calls.
pub const PURPOSELESS_MAX: SignedDuration = SignedDuration::from_mins(60);

impl Invariants {
    /// No instance is paid for long without a task, while somebody could end it.
    pub(super) fn check_purpose(&mut self, moment: Moment, cloud: &SimCloud) {
        let observed = self.config.observe_every.saturating_mul(3);
        let usual = PURPOSELESS_MAX + self.config.idle_timeout.saturating_mul(2);
        let max = usual + observed + self.list_gap;
        let now = moment.now;
        let since = |instance: &SimInstance| match cloud.ecs().host_of(&instance.id) {
            Some(host) if !host.tasks.is_empty() => now,
            Some(host) => host.idle_since,
            None => instance.launched_at,
        };
        let over: Vec<String> = cloud
            .ec2()
            .alive()
            .filter_map(|instance| {
                let since = since(instance);
                let idle = now.duration_since(since) - self.blind_within(since, now);
                let text = || {
                    let minutes = idle.as_mins();
                    format!("instance {} is paid for {minutes} min without a task", instance.id)
                };
                (max < idle).then(text)
            })
            .collect();
        for text in over {
            self.violate("B1", moment, text);
        }
    }

    /// For how much of a time nobody could act. Times that overlap count twice: it is a bound.
    pub(super) fn blind_within(&self, from: Timestamp, to: Timestamp) -> SignedDuration {
        let overlap = |(begin, end): &(Timestamp, Timestamp)| {
            (to.min(*end)).duration_since(from.max(*begin)).max(SignedDuration::ZERO)
        };
        self.blind.iter().map(overlap).sum()
    }

    /// Every launch was sent with one token, however often it was sent.
    pub(super) fn check_bought_once(&mut self, moment: Moment, cloud: &SimCloud) {
        let mut launches: BTreeSet<LaunchId> = BTreeSet::new();
        let twice: Vec<LaunchId> =
            cloud.ec2().launched().filter(|launch| !launches.insert(*launch)).collect();
        for launch in twice {
            self.violate("I7", moment, format!("launch {launch} was bought under two tokens"));
        }
    }

    /// A host is gone only when its instance is.
    pub(super) fn check_gone(&mut self, moment: Moment, host: &Host, cloud: &SimCloud) {
        let HostState::Gone { instance: Some(instance), .. } = &host.state else { return };
        let is_alive = cloud.ec2().get(&instance.id).is_some_and(SimInstance::is_alive);
        let is_told_wrongly = !self.list_gap.is_zero() || self.clock_leaps;
        if is_alive && !is_told_wrongly {
            let text =
                format!("host {} is gone in the ledger, but {} is paid", host.id, instance.id);
            self.violate("G1", moment, text);
        }
    }

    /// Every job that was sent is a job, or a dead letter that says why not.
    pub fn check_accepted<'b>(
        &mut self,
        event: u64,
        now: Timestamp,
        bodies: impl Iterator<Item = &'b str>,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let moment = Moment { event, now };
        self.check_bought_once(moment, cloud);
        for body in bodies {
            let Ok(parsed) = message::parse(body) else { continue };
            let Request::Submit { spec, client_token: Some(token) } = parsed.request else {
                continue;
            };
            let id = JobId::derive(&spec.queue, &token);
            let is_known = ledger.get_job(id).is_some()
                || cloud.dead_letters().iter().any(|letter| letter.body == body);
            if !is_known {
                self.violate("I1", moment, format!("job {id} was sent and is nowhere"));
            }
        }
    }

    /// Of a job's tasks that are alive, all but one were declared lost.
    pub fn check_started(
        &mut self,
        event: u64,
        now: Timestamp,
        job: JobId,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let mut alive = cloud.ecs().live_tasks(job).peekable();
        if alive.peek().is_none() {
            return;
        }
        let known = ledger.get_job(job);
        let attempts = known.as_ref().map(|job| job.attempts.as_slice()).unwrap_or_default();
        let undeclared = alive.filter(|task| !attempts.iter().any(|a| a.ord == task.attempt));
        let n = undeclared.count();
        if 1 < n {
            let text = format!("{n} tasks of job {job} are alive, none declared lost");
            self.violate("I2", Moment { event, now }, text);
        }
    }
}
