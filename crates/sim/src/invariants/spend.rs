//! Money: nothing is paid without a purpose for long, and nothing is bought twice.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use spillway_core::message::{self, Request};
use spillway_core::{Host, HostState, InstanceId, JobId, LaunchId};
use spillway_engine::limits;

use super::{Invariants, Moment};
use crate::cloud::SimCloud;
use crate::ec2::SimInstance;
use crate::ledger::MemoryLedger;

/// How long an instance may be paid without a task, beside twice the idle time-out: 15 minutes until one that does not register is
/// given up, 15 until the look that finds one without a record, and as much again for refused, lost and repeated calls.
pub const PURPOSELESS_MAX: SignedDuration = SignedDuration::from_mins(60);

/// How long a thing may be missing from lists that is there: a read shows what was so a minute ago at most, and the answer takes its time.
const UNLISTED_MAX: SignedDuration = SignedDuration::from_mins(2);

impl Invariants {
    /// No instance is paid for long without a task, while somebody could end it.
    pub(super) fn check_purpose(
        &mut self,
        moment: Moment,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let observed = self.config.observe_every.saturating_mul(3);
        let usual = PURPOSELESS_MAX + self.config.idle_timeout.saturating_mul(2);
        let max = usual + observed;
        let now = moment.now;
        let since = |instance: &SimInstance| match cloud.ecs().host_of(&instance.id) {
            Some(host) if !host.is_idle() => now,
            Some(host) => host.idle_since,
            // Whoever gives one up takes it out of the cluster too.
            None => self
                .given_up
                .get(&instance.id)
                .map_or(instance.launched_at, |at| instance.launched_at.max(*at)),
        };
        let over: Vec<String> = cloud
            .ec2()
            .alive()
            .filter_map(|instance| {
                let held = self.held_until.get(&instance.id).copied();
                let since = since(instance).max(held.unwrap_or(instance.launched_at));
                let unseen =
                    self.blind_within(since, now) + cloud.left_out_within(&instance.id, since, now);
                let idle = now.duration_since(since) - unseen;
                let text = || {
                    let minutes = idle.as_mins();
                    format!("instance {} is paid for {minutes} min without a task", instance.id)
                };
                let is_over = max < idle && !self.waits_for_main(&instance.id, ledger);
                is_over.then(text)
            })
            .collect();
        for text in over {
            self.violate("B1", moment, text);
        }
    }

    /// Whether a node is on it that starts only when its main one runs. That pulls its image meanwhile, try by try.
    fn waits_for_main(&self, instance: &InstanceId, ledger: &MemoryLedger) -> bool {
        let mut nodes = self.live.iter().filter(|(id, _)| id.node_index().is_some());
        nodes.any(|(_, live)| {
            let host = ledger.get_host(live.host).and_then(|host| host.instance());
            host.is_some_and(|host| host.id == *instance)
        })
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
        if is_alive && !self.seems_gone(moment.now, &instance.id, cloud) {
            let text =
                format!("host {} is gone in the ledger, but {} is paid", host.id, instance.id);
            self.violate("G1", moment, text);
        }
    }

    /// Whether an instance that is there may be taken for gone: the look before left it out.
    pub(super) fn seems_gone(&self, now: Timestamp, id: &InstanceId, cloud: &SimCloud) -> bool {
        let is_unlisted = cloud.ec2().get(id).is_some_and(|i| self.seems_new(now, i.listed_from));
        is_unlisted || cloud.left_out_within(id, self.looked_at(now, cloud), now).is_positive()
    }

    /// Whether lists may still leave out what there is since `at`, though a clock that leapt makes it seem old.
    pub(super) fn seems_new(&self, now: Timestamp, at: Timestamp) -> bool {
        self.clock_leaps && now.duration_since(at) < UNLISTED_MAX
    }

    /// The earliest time of the look that a decision of now may rest on.
    fn looked_at(&self, now: Timestamp, cloud: &SimCloud) -> Timestamp {
        let usual = now - cloud.config().call_latency.max - limits::LAST_WORDS;
        // What was on its way when the ledger went out is heard when it is back.
        let out = self.blind.iter().filter(|(from, to)| *from <= now && usual <= *to);
        out.map(|(from, _)| *from).min().map_or(usual, |from| usual.min(from))
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
