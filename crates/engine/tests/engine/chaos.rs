//! Anything may happen in any order: calls that fail, answers that are lost, events that come late, twice or never, hosts that
//! die, dispatchers that are killed. Whatever does, no job is lost or doubled, and once the trouble ends everything ends.

mod world;

use proptest::prelude::*;
use spillway_core::effect::{Refusal, TaskStart};
use spillway_core::message::{Ending, end_job};
use spillway_core::task::CloudEvent;
use spillway_core::{Answer, CloudError, Effect};

use crate::rig::{Rig, job_id, message, secs};
use world::World;

/// One thing that happens. Numbers pick among what there is.
#[derive(Debug, Clone, Copy)]
enum Op {
    Send(u8),
    End(u8, bool),
    /// A call is made and answered.
    Perform(usize),
    /// A call is made; its answer is lost.
    Unsettled(usize),
    /// A call is not made, and that is told.
    Throttled(usize),
    /// The world refuses: no capacity, no room.
    Refuse(usize),
    Register(usize),
    /// A task goes a step, perhaps unseen.
    Advance {
        task: usize,
        exit_code: i32,
        told: bool,
    },
    Repeat(usize),
    Notice(usize),
    Kill {
        machine: usize,
        told: bool,
    },
    Wait(u16),
    Restart(u16),
}

fn op() -> impl Strategy<Value = Op> {
    let pick = || any::<usize>();
    prop_oneof![
        3 => (0..12_u8).prop_map(Op::Send),
        1 => ((0..12_u8), any::<bool>()).prop_map(|(job, hard)| Op::End(job, hard)),
        8 => pick().prop_map(Op::Perform),
        1 => pick().prop_map(Op::Unsettled),
        1 => pick().prop_map(Op::Throttled),
        1 => pick().prop_map(Op::Refuse),
        4 => pick().prop_map(Op::Register),
        5 => (pick(), 0..2_i32, any::<bool>())
            .prop_map(|(task, exit_code, told)| Op::Advance { task, exit_code, told }),
        1 => pick().prop_map(Op::Repeat),
        1 => pick().prop_map(Op::Notice),
        1 => (pick(), any::<bool>()).prop_map(|(machine, told)| Op::Kill { machine, told }),
        4 => (0..200_u16).prop_map(Op::Wait),
        1 => (0..50_000_u16).prop_map(Op::Restart),
    ]
}

/// The loop in its world, and the calls it wants made.
struct Play {
    rig: Rig,
    world: World,
    calls: Vec<Effect>,
}

impl Play {
    fn new() -> Self {
        Self { rig: Rig::new(), world: World::new(), calls: Vec::new() }
    }

    fn collect(&mut self) {
        let is_call = |effect: &Effect| {
            !matches!(
                effect,
                Effect::DeleteMessages { .. }
                    | Effect::DeleteEvents { .. }
                    | Effect::DeadLetter(_)
                    | Effect::Deregister { .. }
            )
        };
        self.calls.extend(self.rig.take_effects().into_iter().filter(is_call));
    }

    fn take_call(&mut self, pick: usize) -> Option<Effect> {
        self.collect();
        (!self.calls.is_empty()).then(|| self.calls.remove(pick % self.calls.len()))
    }

    fn tell(&mut self, event: Option<CloudEvent>) {
        if let Some(event) = event {
            self.world.told.push(event.clone());
            self.rig.event(event);
        }
    }

    fn machine(&self, pick: usize) -> u32 {
        u32::try_from(pick % self.world.machines.len().max(1)).unwrap() + 1
    }

    /// Makes a call, and answers truly, or with `error` instead.
    fn perform(&mut self, call: Effect, error: Option<CloudError>) {
        let now = self.rig.now;
        let done = error.map_or(Ok(()), Err);
        let answer = match call {
            Effect::Launch(request) => {
                let answer = self.world.launch(now, &request);
                Answer::Launch { launch: request.launch, result: done.map(|()| answer) }
            }
            Effect::RunTask(request) => {
                let start = self.world.run_task(now, &request);
                let (job, attempt) = (request.job, request.attempt);
                Answer::RunTask { job, attempt, result: done.map(|()| start) }
            }
            Effect::StopTask { job, attempt, task, .. } => {
                self.world.stop_task(&task);
                Answer::StopTask { job, attempt, result: done }
            }
            Effect::Drain { host, container_instance } => {
                self.world.drain(&container_instance);
                Answer::Drain { host, result: done }
            }
            Effect::Terminate { hosts } => {
                let ids = hosts.iter().map(|(host, _)| *host).collect();
                for (_, instance) in hosts {
                    let hex = instance.as_str().trim_start_matches("i-");
                    let n = u32::from_str_radix(hex, 16).unwrap();
                    let _ = self.world.kill(now, n);
                }
                Answer::Terminate { hosts: ids, result: done }
            }
            Effect::Observe { tasks } => {
                Answer::Observe { asked_at: now, snapshot: self.world.look(now, &tasks) }
            }
            Effect::ReadReport { job, attempt, .. } => {
                Answer::Report { job, attempt, result: done.map(|()| Vec::new()) }
            }
            Effect::RefreshCatalog => {
                Answer::Catalog { result: done.map(|()| crate::rig::catalog()) }
            }
            Effect::Deregister { .. }
            | Effect::DeleteMessages { .. }
            | Effect::DeleteEvents { .. }
            | Effect::DeadLetter(_) => return,
        };
        self.rig.answer(answer);
    }

    fn throttle(&mut self, call: Effect) {
        let error =
            || CloudError::Throttled { action: "a:Call".into(), detail: "slow down".into() };
        let answer = match call {
            Effect::Launch(request) => {
                Answer::Launch { launch: request.launch, result: Err(error()) }
            }
            Effect::RunTask(request) => {
                let (job, attempt) = (request.job, request.attempt);
                Answer::RunTask { job, attempt, result: Err(error()) }
            }
            other => return self.perform(other, None),
        };
        self.rig.answer(answer);
    }

    fn refuse(&mut self, call: Effect) {
        let answer = match call {
            Effect::Launch(request) => {
                Answer::Launch { launch: request.launch, result: Ok(World::dry(&request)) }
            }
            Effect::RunTask(request) if !self.is_made(&request) => {
                let (job, attempt) = (request.job, request.attempt);
                let refusal = Refusal::NoRoom { dimension: None };
                Answer::RunTask { job, attempt, result: Ok(TaskStart::Refused(refusal)) }
            }
            other => return self.perform(other, None),
        };
        self.rig.answer(answer);
    }

    fn is_made(&self, request: &spillway_core::effect::TaskRequest) -> bool {
        let token = Some(request.token.as_str());
        self.world.tasks.iter().any(|task| task.report.started_by.as_deref() == token)
    }

    fn happen(&mut self, op: Op) {
        let now = self.rig.now;
        match op {
            Op::Send(n) => self.rig.send(job(n)),
            Op::End(n, hard) => {
                let ending = if hard { Ending::Terminate } else { Ending::Cancel };
                self.rig.send(
                    end_job(ending, job_id(&format!("job-{n}")).into(), "enough").to_string(),
                );
            }
            Op::Perform(pick) => {
                if let Some(call) = self.take_call(pick) {
                    self.perform(call, None);
                }
            }
            Op::Unsettled(pick) => {
                if let Some(call) = self.take_call(pick) {
                    let (action, detail) = ("a:Call".into(), "time-out".into());
                    self.perform(call, Some(CloudError::Unsettled { action, detail }));
                }
            }
            Op::Throttled(pick) => {
                if let Some(call) = self.take_call(pick) {
                    self.throttle(call);
                }
            }
            Op::Refuse(pick) => {
                if let Some(call) = self.take_call(pick) {
                    self.refuse(call);
                }
            }
            Op::Register(pick) => {
                let event = self.world.register(self.machine(pick));
                self.tell(event);
            }
            Op::Advance { task, exit_code, told } => {
                let ord = task % self.world.tasks.len().max(1);
                let event = self.world.advance(now, ord, exit_code);
                self.tell(event.filter(|_| told));
            }
            Op::Repeat(pick) => {
                if !self.world.told.is_empty() {
                    let event = self.world.told[pick % self.world.told.len()].clone();
                    self.rig.event(event);
                }
            }
            Op::Notice(pick) => {
                let id = Rig::instance(self.machine(pick));
                self.tell(Some(CloudEvent::SpotInterruption { id }));
            }
            Op::Kill { machine, told } => {
                let event = self.world.kill(now, self.machine(machine));
                self.tell(event.filter(|_| told));
            }
            Op::Wait(n) => self.rig.wait(secs(i64::from(n))),
            Op::Restart(n) => {
                self.calls.clear();
                self.rig.restart_after(secs(i64::from(n)));
            }
        }
        self.collect();
    }

    /// From now on everything works: calls are answered, hosts register, tasks end.
    fn calm_down(&mut self) -> bool {
        for _ in 0..400 {
            while let Some(call) = self.take_call(0) {
                self.perform(call, None);
            }
            for n in 1..=u32::try_from(self.world.machines.len()).unwrap() {
                let event = self.world.register(n);
                self.tell(event);
            }
            for ord in 0..self.world.tasks.len() {
                let event = self.world.advance(self.rig.now, ord, 0);
                self.tell(event);
            }
            let has_orphans = self.world.machines.values().any(|machine| machine.is_alive);
            if self.rig.engine.is_idle() && !has_orphans {
                return true;
            }
            self.rig.wait(secs(61));
        }
        false
    }
}

fn job(n: u8) -> String {
    let market = if n.is_multiple_of(3) { r#","market":"spot""# } else { "" };
    let vcpus = 1 + n % 2;
    let extra = r#","retryStrategy":{"attempts":3},"timeout":{"attemptDurationSeconds":900}"#;
    let body = message(&format!("job-{n}"), market, extra);
    body.replace(r#""type":"VCPU","value":"1""#, &format!(r#""type":"VCPU","value":"{vcpus}""#))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_job_is_lost_or_doubled_and_once_trouble_ends_everything_ends(
        ops in prop::collection::vec(op(), 1..200),
    ) {
        let mut play = Play::new();
        let mut sent = std::collections::BTreeSet::new();

        for op in ops {
            if let Op::Send(n) = op {
                sent.insert(job_id(&format!("job-{n}")));
            }
            play.happen(op);
        }
        let is_calm = play.calm_down();

        let open: Vec<_> = play.rig.engine.jobs().map(|job| &job.state).collect();
        let hosts: Vec<_> = play.rig.engine.hosts().map(|host| &host.state).collect();
        prop_assert!(is_calm, "jobs {open:#?}, hosts {hosts:#?}");
        let known: std::collections::BTreeSet<_> = play.rig.jobs.keys().copied().collect();
        prop_assert_eq!(known, sent);
        for job in play.rig.jobs.values() {
            prop_assert!(job.state.status().is_terminal());
            let ords: Vec<u32> = job.attempts.iter().map(|attempt| attempt.ord.get()).collect();
            let in_order: Vec<u32> = (1..).take(ords.len()).collect();
            prop_assert_eq!(ords, in_order, "every attempt is recorded once");
        }
    }
}
