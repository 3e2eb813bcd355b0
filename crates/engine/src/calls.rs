//! The AWS API's token buckets, one for each that AWS has: which call goes next, and when. All that draws on a bucket asks here: what
//! ends work goes before what starts some, and within that who asked first.
//!
//! Decides no call and forgets none: whoever's turn it is looks whether its call is still needed, and one that is not takes no token.

mod rate;

use std::collections::BTreeMap;

use jiff::Timestamp;
use spillway_core::{AttemptOrd, CloudError, Effect, HostId, JobId, LaunchId};

use crate::breakers::{Gate, TERMINATE};
use crate::engine::{Cx, Engine};
use crate::limits;
use rate::{Rate, WHOLE};

/// A bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Api {
    /// `RunTask`, `StopTask`, `UpdateContainerInstancesState` and `DeregisterContainerInstance` (ECS API throttling table).
    Tasks,
    /// `CreateFleet` and others that change something (EC2 API throttling table).
    Launches,
    /// `TerminateInstances`, which has its own.
    Terminations,
    /// `GetLogEvents` (`CloudWatch` Logs quotas).
    Reports,
}

impl Api {
    const fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Launches => "launches",
            Self::Terminations => "terminations",
            Self::Reports => "reports",
        }
    }
}

/// A call that waits for its turn. Those that draw on one bucket go in the order of these variants.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    /// An attempt is to end.
    Stop(JobId, AttemptOrd),
    /// Something that is ready to be sent is to end or to go.
    End(Box<Effect>),
    /// A host is to take no more work.
    Drain(HostId),
    /// An attempt is to start.
    Start(JobId, AttemptOrd),
    /// Hosts are to be bought.
    Launch(LaunchId),
    /// A host is to end.
    Terminate(HostId),
    /// The report of a shared task is to be read.
    Report(JobId, AttemptOrd),
}

impl Call {
    const fn api(&self) -> Api {
        match self {
            Self::Stop(..) | Self::End(_) | Self::Drain(_) | Self::Start(..) => Api::Tasks,
            Self::Launch(_) => Api::Launches,
            Self::Terminate(_) => Api::Terminations,
            Self::Report(..) => Api::Reports,
        }
    }

    /// Lower goes first.
    const fn rank(&self) -> u8 {
        match self {
            Self::Stop(..) => 0,
            Self::End(_) | Self::Drain(_) => 1,
            Self::Start(..) | Self::Launch(_) | Self::Terminate(_) | Self::Report(..) => 2,
        }
    }
}

/// How a bucket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiBudget {
    /// Its name: `tasks`, `launches`, `terminations` or `reports`.
    pub bucket: &'static str,
    /// Calls that wait for a token.
    pub n_waiting: u32,
    /// The rate that calls are sent at, in thousandths of what AWS documents for the bucket.
    pub rate_milli: u32,
}

/// A bucket, and who waits for it.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    /// By rank, then by who asked first.
    waiting: BTreeMap<(u8, u64), Call>,
    /// While many wait, so many are sent at a time: a step of the control loop for each would be most of its work.
    at_a_time: u32,
}

impl Bucket {
    fn new(burst: u32, per_sec: u32) -> Self {
        let at_a_time = (per_sec / limits::CALL_TURNS_PER_SEC).max(1);
        Self { rate: Rate::new(burst, per_sec), waiting: BTreeMap::new(), at_a_time }
    }

    fn len(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(u32::MAX)
    }

    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let n = self.len().min(self.at_a_time);
        (0 < n).then(|| self.rate.free_at(now, n))
    }
}

/// The bucket that was empty. Others than ours are the adapters' business: what was throttled by those waits by itself.
fn throttled_by(error: &CloudError) -> Option<Api> {
    let CloudError::Throttled { action, .. } = error else { return None };
    match action.as_str() {
        "ecs:RunTask"
        | "ecs:StopTask"
        | "ecs:UpdateContainerInstancesState"
        | "ecs:DeregisterContainerInstance" => Some(Api::Tasks),
        "ec2:CreateFleet" => Some(Api::Launches),
        "ec2:TerminateInstances" => Some(Api::Terminations),
        "logs:GetLogEvents" => Some(Api::Reports),
        _ => None,
    }
}

/// All buckets.
#[derive(Debug)]
pub(crate) struct Calls {
    buckets: BTreeMap<Api, Bucket>,
    n_asked: u64,
}

impl Default for Calls {
    fn default() -> Self {
        let buckets = [
            (Api::Tasks, limits::TASK_CALLS_BURST, limits::TASK_CALLS_PER_SEC),
            (Api::Launches, limits::LAUNCH_CALLS_BURST, limits::LAUNCH_CALLS_PER_SEC),
            (Api::Terminations, limits::TERMINATE_CALLS_BURST, limits::TERMINATE_CALLS_PER_SEC),
            (Api::Reports, limits::REPORT_CALLS_BURST, limits::REPORT_CALLS_PER_SEC),
        ];
        let buckets = buckets.map(|(api, burst, per_sec)| (api, Bucket::new(burst, per_sec)));
        Self { buckets: buckets.into(), n_asked: 0 }
    }
}

impl Calls {
    /// Puts a call in line.
    pub(crate) fn ask(&mut self, call: Call) {
        let Some(bucket) = self.buckets.get_mut(&call.api()) else { return };
        bucket.waiting.insert((call.rank(), self.n_asked), call);
        self.n_asked += 1;
    }

    /// When the next may be sent; none if none waits.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.buckets.values().filter_map(|bucket| bucket.next(now)).min()
    }

    /// When `n` more starts of tasks could have been sent, after all that wait for that bucket.
    pub(crate) fn starts_free_at(&self, now: Timestamp, n: u32) -> Timestamp {
        let bucket = self.buckets.get(&Api::Tasks);
        bucket.map_or(now, |bucket| bucket.rate.free_at(now, bucket.len().saturating_add(n)))
    }

    /// How many starts of tasks a second there are in the long run, as far as is known now; at least 1.
    pub(crate) fn starts_per_sec(&self, now: Timestamp) -> u32 {
        let part = self.buckets.get(&Api::Tasks).map_or(WHOLE, |bucket| bucket.rate.part_at(now));
        (limits::TASK_CALLS_PER_SEC * part / WHOLE).max(1)
    }

    /// A call has failed. If it was throttled, its bucket has less to give than was thought.
    pub(crate) fn failed(&mut self, now: Timestamp, error: &CloudError) {
        let bucket = throttled_by(error).and_then(|api| self.buckets.get_mut(&api));
        if let Some(bucket) = bucket {
            bucket.rate.throttled(now);
        }
    }

    /// Whether a call that failed so may stand in line again at once: its bucket is emptied slower from now on.
    pub(crate) fn paces(error: &CloudError) -> bool {
        throttled_by(error).is_some()
    }

    fn pop_due(&mut self, now: Timestamp, api: Api) -> Option<Call> {
        let bucket = self.buckets.get_mut(&api)?;
        if bucket.waiting.is_empty() || now < bucket.rate.free_at(now, 1) {
            return None;
        }
        bucket.waiting.pop_first().map(|(_, call)| call)
    }

    fn take(&mut self, now: Timestamp, api: Api, n: usize) {
        let Some(bucket) = self.buckets.get_mut(&api) else { return };
        for _ in 0..n {
            bucket.rate.take(now);
        }
    }
}

impl Engine {
    /// How the token buckets of the AWS API stand.
    pub fn api_budgets(&self, now: Timestamp) -> impl Iterator<Item = ApiBudget> {
        self.calls.buckets.iter().map(move |(api, bucket)| ApiBudget {
            bucket: api.name(),
            n_waiting: bucket.len(),
            rate_milli: bucket.rate.part_at(now),
        })
    }

    /// Sends the calls whose turn it is.
    pub(crate) fn send_calls(&mut self, cx: &mut Cx) {
        for api in [Api::Tasks, Api::Launches, Api::Reports] {
            while let Some(call) = self.calls.pop_due(cx.now, api) {
                let n_before = cx.effects.len();
                self.send_call(cx, call);
                self.calls.take(cx.now, api, cx.effects.len() - n_before);
            }
        }
        self.send_terminations(cx);
    }

    fn send_call(&mut self, cx: &mut Cx, call: Call) {
        match call {
            Call::Stop(job, ord) => self.stop_again(cx, job, ord),
            Call::End(effect) => cx.effects.push(*effect),
            Call::Drain(host) => self.send_drain(cx, host),
            Call::Start(job, ord) => self.send_start(cx, job, ord),
            Call::Launch(launch) => self.send_launch(cx, launch),
            Call::Report(job, ord) => self.read_report(cx, job, ord),
            Call::Terminate(_) => {}
        }
    }

    /// One call ends many.
    fn send_terminations(&mut self, cx: &mut Cx) {
        loop {
            let mut hosts = Vec::new();
            while hosts.len() < limits::TERMINATE_BATCH
                && let Some(Call::Terminate(host)) = self.calls.pop_due(cx.now, Api::Terminations)
            {
                hosts.extend(self.due_termination(host));
            }
            if hosts.is_empty() {
                return;
            }
            match self.gate(cx, TERMINATE) {
                Gate::Go => {
                    cx.effects.push(Effect::Terminate { hosts });
                    self.calls.take(cx.now, Api::Terminations, 1);
                }
                Gate::Later(at) => self.terminate_at(at, &hosts),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(action: &str) -> CloudError {
        CloudError::Throttled { action: action.to_owned(), detail: "Rate exceeded".to_owned() }
    }

    fn job(n: u32) -> JobId {
        JobId::derive(&"q".parse().unwrap(), &n.to_string())
    }

    #[test]
    fn what_ends_work_goes_before_what_starts_some() {
        let mut calls = Calls::default();
        let now = Timestamp::UNIX_EPOCH;
        let first = AttemptOrd::FIRST;
        calls.ask(Call::Start(job(1), first));
        calls.ask(Call::Start(job(2), first));
        calls.ask(Call::Stop(job(3), first));

        let order = std::iter::from_fn(|| calls.pop_due(now, Api::Tasks));
        let order: Vec<JobId> = order
            .filter_map(|call| match call {
                Call::Stop(id, _) | Call::Start(id, _) => Some(id),
                Call::End(_)
                | Call::Drain(_)
                | Call::Launch(_)
                | Call::Terminate(_)
                | Call::Report(..) => None,
            })
            .collect();

        assert_eq!(order, [3, 1, 2].map(job));
    }

    #[test]
    fn while_many_wait_several_are_sent_at_a_time() {
        let mut calls = Calls::default();
        let now = Timestamp::UNIX_EPOCH;
        calls.take(now, Api::Tasks, usize::try_from(limits::TASK_CALLS_BURST).unwrap());
        let wait = |calls: &Calls| calls.next(now).unwrap().duration_since(now).as_millis();

        calls.ask(Call::Start(job(1), AttemptOrd::FIRST));
        assert_eq!(wait(&calls), 25);
        for n in 2..100 {
            calls.ask(Call::Start(job(n), AttemptOrd::FIRST));
        }
        assert_eq!(wait(&calls), 100);
    }

    #[test]
    fn a_throttled_call_slows_its_own_bucket_only() {
        let mut calls = Calls::default();
        let now = Timestamp::UNIX_EPOCH;
        calls.ask(Call::Start(job(1), AttemptOrd::FIRST));
        calls.failed(now, &throttled("ec2:CreateFleet"));
        calls.failed(now, &throttled("ecs:RegisterTaskDefinition"));
        assert_eq!(calls.next(now), Some(now));

        calls.failed(now, &throttled("ecs:StopTask"));

        assert!(now < calls.next(now).unwrap());
    }
}
