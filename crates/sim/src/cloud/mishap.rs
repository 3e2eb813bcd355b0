//! What goes wrong with calls, messages, events and reads.

use jiff::{SignedDuration, Timestamp};
use spillway_core::effect::{CallResult, LaunchAnswer, LaunchRequest, PoolFault, TaskRequest};
use spillway_core::task::{CloudEvent, InstanceReport, InstanceStatus};
use spillway_core::{CloudError, InstanceId, Market, TaskArn, Zone};

use super::SimCloud;
use super::happening::Happening;
use crate::fault::Fault;
use crate::setting::{Chance, Spread};
use crate::world::Out;

/// When SQS's own copy of a message comes: most within minutes, some after the message is long deleted.
const COPY_DELAY: Spread = Spread::of_secs(0, 240);
const LATE_COPY_DELAY: Spread = Spread::of_secs(240, 4 * 3_600);

/// When a dead letter is sent again.
const REDRIVE_DELAY: Spread = Spread::of_secs(30, 1_800);

/// Docker's `awslogs` driver sends what it has every five seconds; what is late comes when nobody looks any more.
const LOG_LAG: Spread = Spread::of_millis(500, 7_000);
const LATE_LOG: Spread = Spread::of_secs(10, 240);

/// How old a stale read may be. AWS names no bound; what people report is seconds, rarely more than a minute.
const STALENESS: Spread = Spread::of_secs(1, 60);

/// For how long lists leave an instance out.
const GAP_SLOT: SignedDuration = SignedDuration::from_mins(15);

/// What a fault does to one call.
enum CallFault {
    /// Nothing happens, and the caller learns it.
    Refused(CloudError),
    /// It happens, and the caller does not learn it.
    AnswerLost(CloudError),
}

impl SimCloud {
    /// Performs a call, unless a fault befalls it.
    pub(super) fn calling<T>(
        &mut self,
        now: Timestamp,
        action: &str,
        act: impl FnOnce(&mut Self) -> CallResult<T>,
    ) -> CallResult<T> {
        let ord = self.n_calls;
        self.n_calls += 1;
        self.credentials_hold(now, action)?;
        if action.starts_with("ecs:") && self.is_out(now, |out| *out == Out::Cluster) {
            self.note(Fault::ClusterGone);
            let detail = "ClusterNotFoundException: Cluster not found.".to_owned();
            return Err(CloudError::Misconfigured { action: action.to_owned(), detail });
        }
        self.within_limits(now, action)?;
        match self.call_fault(now, ord, action) {
            None => act(self),
            Some(CallFault::Refused(error)) => Err(error),
            Some(CallFault::AnswerLost(error)) => {
                match action {
                    "ec2:CreateFleet" => self.note(Fault::CrashAroundLaunch),
                    "ecs:RunTask" => self.note(Fault::CrashAroundRunTask),
                    _ => {}
                }
                // What the call would have answered is just what the caller does not learn.
                let _ = act(self);
                Err(error)
            }
        }
    }

    /// Takes one call out of its token bucket.
    pub(super) fn within_limits(&mut self, now: Timestamp, action: &str) -> CallResult<()> {
        if self.buckets.take(now, action) {
            return Ok(());
        }
        self.n_over_limit += 1;
        self.note(Fault::Throttled);
        let detail = "Rate exceeded".to_owned();
        Err(CloudError::Throttled { action: action.to_owned(), detail })
    }

    pub(super) fn credentials_hold(&mut self, now: Timestamp, action: &str) -> CallResult<()> {
        if self.is_out(now, |out| matches!(out, Out::Call(denied) if denied == action)) {
            self.note(Fault::CallDenied);
            let detail = format!("AccessDeniedException: not authorized to perform {action}");
            return Err(CloudError::Denied { action: action.to_owned(), detail });
        }
        if !self.is_out(now, |out| *out == Out::Credentials) {
            return Ok(());
        }
        self.note(Fault::CredentialsExpired);
        let detail =
            "ExpiredToken: The security token included in the request is expired".to_owned();
        Err(CloudError::Denied { action: action.to_owned(), detail })
    }

    /// Whether the job queue is there.
    pub(super) fn queue_answers(&mut self, now: Timestamp, action: &str) -> CallResult<()> {
        self.credentials_hold(now, action)?;
        if !self.is_out(now, |out| *out == Out::JobQueue) {
            return Ok(());
        }
        self.note(Fault::QueueGone);
        let detail = "QueueDoesNotExist: The specified queue does not exist.".to_owned();
        Err(CloudError::Misconfigured { action: action.to_owned(), detail })
    }

    fn call_fault(&mut self, now: Timestamp, ord: u64, action: &str) -> Option<CallFault> {
        let faults = self.config.faults;
        let is_calm =
            faults.throttled_calls == Chance::NEVER && faults.unsettled_calls == Chance::NEVER;
        if is_calm || !self.faults_on(now) {
            return None;
        }
        let mut roll = self.dice.roll("call", &ord);
        let action = action.to_owned();
        if roll.happens(faults.throttled_calls) {
            self.note(Fault::Throttled);
            let detail = "RequestLimitExceeded: simulated".to_owned();
            return Some(CallFault::Refused(CloudError::Throttled { action, detail }));
        }
        if !roll.happens(faults.unsettled_calls) {
            return None;
        }
        let error =
            CloudError::Unsettled { action, detail: "connection reset: simulated".to_owned() };
        let is_done = roll.happens(Chance::percent(50));
        Some(if is_done { CallFault::AnswerLost(error) } else { CallFault::Refused(error) })
    }

    /// The first task of an image registers its task definition.
    pub(super) fn define(&mut self, now: Timestamp, image: &str) -> CallResult<()> {
        if self.definitions.contains(image) {
            return Ok(());
        }
        let defined = self.calling(now, "ecs:RegisterTaskDefinition", |_| Ok(()));
        match &defined {
            Ok(()) => {
                self.definitions.insert(image.to_owned());
            }
            Err(CloudError::Throttled { .. }) => self.note(Fault::DefinitionThrottled),
            Err(_) => {}
        }
        defined
    }

    /// How long the lines of a task take to its log.
    pub(super) fn log_lag(&mut self, now: Timestamp, request: &TaskRequest) -> SignedDuration {
        let mut roll = self.dice.roll("log lag", &request.token);
        if self.faults_on(now) && roll.happens(self.config.faults.log_delays) {
            self.note(Fault::ReportLost);
            return roll.within(LATE_LOG);
        }
        roll.within(LOG_LAG)
    }

    /// A shared task runs: the rest of its log is lost from somewhere on, perhaps.
    pub(super) fn may_lose_log(&mut self, now: Timestamp, arn: &TaskArn) {
        let mut roll = self.dice.roll("log loss", arn);
        if !self.faults_on(now) || !roll.happens(self.config.faults.log_losses) {
            return;
        }
        let kept = u32::try_from(roll.below(1_000)).unwrap_or(0);
        if let Some(log) = self.ecs.shared_log_mut(arn) {
            log.lose_after(kept);
            self.note(Fault::ReportLost);
        }
    }

    /// When a copy of the `ord`-th message comes, if there is one.
    pub(super) fn copy_of_message(&mut self, now: Timestamp, ord: u64) -> Option<Timestamp> {
        let mut roll = self.dice.roll("message", &ord);
        if !self.faults_on(now) || !roll.happens(self.config.faults.message_duplicates) {
            return None;
        }
        self.note(Fault::DuplicateMessage);
        let is_late = self.dice.roll("late copy", &ord).happens(Chance::percent(20));
        let delay = if is_late { LATE_COPY_DELAY } else { COPY_DELAY };
        Some(now + roll.within(delay))
    }

    /// Somebody looks at the dead letters and sends the last one again, perhaps.
    pub(super) fn plan_redrive(&mut self, now: Timestamp) {
        let ord = self.dead_letters.len();
        let mut roll = self.dice.roll("redrive", &ord);
        if self.faults_on(now) && roll.happens(self.config.faults.redrives) {
            let at = now + roll.within(REDRIVE_DELAY);
            self.agenda.add(at, Happening::Redrive(ord.saturating_sub(1)));
        }
    }

    /// Sends an event on its way, once, twice or not at all.
    pub(super) fn tell(&mut self, now: Timestamp, event: CloudEvent) {
        let ord = self.n_events;
        self.n_events += 1;
        let mut roll = self.dice.roll("event", &ord);
        let latency = self.config.event_latency;
        let id = ord.to_string();
        if self.faults_on(now) {
            if roll.happens(self.config.faults.event_losses) {
                self.note(Fault::EventTrouble);
                return;
            }
            if roll.happens(self.config.faults.event_duplicates) {
                self.note(Fault::EventTrouble);
                let copy_at = now + roll.within(latency) + roll.within(Spread::of_secs(0, 60));
                self.events.send(now, copy_at, id.clone(), Some(event.clone()));
            }
            if self.dice.roll("foreign event", &ord).happens(self.config.faults.foreign_events) {
                self.note(Fault::EventTrouble);
                self.events.send(now, now, format!("{id}-foreign"), foreign(ord, &event));
            }
        }
        self.events.send(now, now + roll.within(latency), id, Some(event));
    }

    /// The time that a read shows.
    pub(super) fn shown_at(&mut self, now: Timestamp) -> Timestamp {
        let mut roll = self.dice.roll("stale read", &self.n_calls);
        if !self.faults_on(now) || !roll.happens(self.config.faults.stale_reads) {
            return now;
        }
        self.note(Fault::StaleRead);
        now - roll.within(STALENESS)
    }

    /// What `DescribeInstances` says.
    pub(super) fn list_instances(&mut self, now: Timestamp) -> CallResult<Vec<InstanceReport>> {
        if self.is_out(now, |out| matches!(out, Out::Zone(_))) {
            self.note(Fault::ZoneOutage);
            // "DescribeInstances": with no ids it fails as a whole while one zone is disrupted.
            let (action, detail) = ("ec2:DescribeInstances".to_owned(), "Unavailable".to_owned());
            return Err(CloudError::Unsettled { action, detail });
        }
        let shown_at = self.shown_at(now);
        let (mut reports, n_late) = self.ec2.reports(now, shown_at);
        self.coverage.add(Fault::StaleRead, n_late);
        if self.config.faults.list_gaps != Chance::NEVER && self.faults_on(now) {
            let slot = self.gap_slot(now);
            reports.retain(|report| !self.is_left_out(&report.id, slot));
        }
        Ok(reports)
    }

    /// In which of the quarters of an hour, within each of which a list leaves out the same, a time is.
    fn gap_slot(&self, at: Timestamp) -> i64 {
        at.duration_since(self.started_at).as_secs() / GAP_SLOT.as_secs()
    }

    fn is_left_out(&self, id: &InstanceId, slot: i64) -> bool {
        let chance = self.config.faults.list_gaps;
        self.dice.roll("list gap", &format_args!("{id}/{slot}")).happens(chance)
    }

    /// For how much of a time lists leave an instance out that is there.
    pub fn left_out_within(
        &self,
        id: &InstanceId,
        from: Timestamp,
        to: Timestamp,
    ) -> SignedDuration {
        if self.config.faults.list_gaps == Chance::NEVER {
            return SignedDuration::ZERO;
        }
        let until = self.config.faults.until.map_or(to, |until| to.min(self.started_at + until.0));
        let of_slot = |slot: i64| {
            let begin =
                self.started_at + GAP_SLOT.saturating_mul(i32::try_from(slot).unwrap_or(i32::MAX));
            let part = until.min(begin + GAP_SLOT).duration_since(from.max(begin));
            part.max(SignedDuration::ZERO)
        };
        let slots = self.gap_slot(from)..=self.gap_slot(until);
        slots.filter(|slot| self.is_left_out(id, *slot)).map(of_slot).sum()
    }

    /// Whether an instance is in a zone that is cut off.
    pub(super) fn is_cut_off(&self, now: Timestamp, id: &InstanceId) -> bool {
        let zone = self.ec2.get(id).map(|instance| &instance.pool.zone);
        zone.is_some_and(|zone| self.zone_back_at(now, zone).is_some())
    }

    /// When a zone that is cut off is there again.
    pub(super) fn zone_back_at(&self, now: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let since_start = now.duration_since(self.started_at);
        let until = self
            .config
            .out_until(since_start, |out| matches!(out, Out::Zone(cut_off) if cut_off == zone))?;
        Some(self.started_at + until)
    }

    /// Whether a task's container ends on no signal.
    pub(super) fn hears_no_signal(&self, now: Timestamp, arn: &TaskArn) -> bool {
        let chance = self.config.faults.stuck_stops;
        self.faults_on(now) && self.dice.roll("stuck stop", arn).happens(chance)
    }

    /// Counts what an answer to a launch shows.
    pub(super) fn note_launch(&mut self, request: &LaunchRequest, answer: &LaunchAnswer) {
        let has = |fault| answer.errors.iter().any(|error| error.fault == fault);
        let n_came = u32::try_from(answer.instances.len()).unwrap_or(u32::MAX);
        let shown = [
            (has(PoolFault::NoCapacity), Fault::NoCapacity),
            (has(PoolFault::QuotaReached), Fault::QuotaReached),
            (0 < n_came && n_came != request.count, Fault::PartialFleet),
            (
                n_came == 0 && request.market == Market::Spot && has(PoolFault::NoCapacity),
                Fault::SpotDry,
            ),
        ];
        for (_, fault) in shown.into_iter().filter(|(is_shown, _)| *is_shown) {
            self.note(fault);
        }
    }
}

/// News of the same kind about something that is not ours, or that we do not know how to read.
fn foreign(ord: u64, event: &CloudEvent) -> Option<CloudEvent> {
    let id: InstanceId = format!("i-f0e1{ord:013x}").parse().ok()?;
    match event {
        CloudEvent::Task { report } => {
            let mut report = report.clone();
            report.started_by = Some("somebody-else".to_owned());
            report.arn = format!("{}f", report.arn).parse().ok()?;
            Some(CloudEvent::Task { report })
        }
        CloudEvent::ContainerInstance { .. } => None,
        CloudEvent::Instance { .. } => {
            Some(CloudEvent::Instance { id, status: InstanceStatus::Terminated })
        }
        CloudEvent::SpotInterruption { .. } | CloudEvent::RebalanceRecommendation { .. } => {
            Some(CloudEvent::SpotInterruption { id })
        }
    }
}
