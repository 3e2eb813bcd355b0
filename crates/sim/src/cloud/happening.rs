//! What happens in the cloud by itself: machines boot and die, containers run and exit, Spot hosts are reclaimed.

mod task;

use jiff::{SignedDuration, Timestamp};
use spillway_core::task::{CloudEvent, InstanceStatus, TaskStatus};
use spillway_core::{InstanceId, InstanceShape, Market, TaskArn, cost};

use super::{InstanceEnd, Out, SimCloud, Spread, TaskEnd};
use crate::fault::Fault;

/// From the launch of an instance to EC2 calling it `running`.
const PENDING: Spread = Spread::of_secs(4, 12);

/// From the end of an instance to ECS noticing it.
const END_NOTICED: Spread = Spread::of_secs(1, 10);

/// How long before its end a Spot instance is told that is told late.
const LATE_NOTICE: SignedDuration = SignedDuration::from_secs(5);

/// So many hosts at once are a storm, in worlds as small as these.
const MANY_HOSTS: usize = 3;

/// One thing that is due.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// An instance is `running`.
    InstanceRuns(InstanceId),
    /// Its agent registers.
    HostRegisters(InstanceId),
    /// Its end is announced.
    SpotNotice(InstanceId),
    /// It is taken back.
    SpotReclaim(InstanceId),
    /// It dies.
    HostDies(InstanceId),
    /// It is `terminated`.
    InstanceTerminated(InstanceId),
    /// ECS notices that it has ended.
    EndNoticed(InstanceId),
    /// Its agent loses the connection.
    AgentLeaves(InstanceId),
    /// Its agent is back.
    AgentReturns(InstanceId),
    /// A task's image could not be pulled.
    PullFails(TaskArn),
    /// A task ends before it has started, and nobody knows why.
    EndsOddly(TaskArn),
    /// A task's container starts.
    TaskRuns(TaskArn),
    /// A task's container ends by itself.
    TaskExits(TaskArn),
    /// A task's container ends because of StopTask.
    TaskKilled(TaskArn),
    /// A task is STOPPED.
    TaskStops(TaskArn),
    /// Many Spot instances are told to end: the reclaim of this number.
    Reclaim(usize),
    /// An instance is stopped.
    InstanceStops(InstanceId),
    /// A host hangs.
    HostHangs(InstanceId),
    /// A host is recommended to be rebalanced.
    Rebalance(InstanceId),
    /// A dead letter is sent again: the one of this number.
    Redrive(usize),
    /// The outage of this number begins.
    OutageBegins(usize),
}

impl SimCloud {
    /// When the next thing happens by itself. Messages that become visible are not among them.
    pub fn next_at(&self) -> Option<Timestamp> {
        self.agenda.next_at()
    }

    /// Lets everything happen that is due by `now`; returns how many things that were.
    pub fn advance(&mut self, now: Timestamp) -> u64 {
        let mut n = 0;
        while let Some((at, happening)) = self.agenda.pop_due(now) {
            self.happen(at, happening);
            n += 1;
        }
        n
    }

    fn happen(&mut self, now: Timestamp, happening: Happening) {
        match happening {
            Happening::InstanceRuns(id) => self.instance_runs(now, &id),
            Happening::HostRegisters(id) => self.host_registers(now, &id),
            Happening::SpotNotice(id) => self.spot_notice(now, &id),
            Happening::SpotReclaim(id) => self.end_instance(now, &id, InstanceEnd::Reclaimed),
            Happening::HostDies(id) => self.end_instance(now, &id, InstanceEnd::Died),
            Happening::InstanceTerminated(id) => self.instance_terminated(now, &id),
            Happening::EndNoticed(id) => self.end_noticed(now, &id),
            Happening::AgentLeaves(id) => self.agent_leaves(now, &id),
            Happening::AgentReturns(id) => self.agent_returns(now, &id),
            Happening::PullFails(arn) => self.pull_fails(now, &arn),
            Happening::EndsOddly(arn) => self.ends_oddly(now, &arn),
            Happening::TaskRuns(arn) => self.task_runs(now, &arn),
            Happening::TaskExits(arn) => self.task_exits(now, &arn),
            Happening::TaskKilled(arn) => self.task_killed(now, &arn),
            Happening::TaskStops(arn) => self.task_stops(now, &arn),
            Happening::Reclaim(ord) => self.reclaim(now, ord),
            Happening::InstanceStops(id) => self.end_instance(now, &id, InstanceEnd::Stopped),
            Happening::HostHangs(id) => self.host_hangs(now, &id),
            Happening::Rebalance(id) => self.rebalance(now, &id),
            Happening::Redrive(ord) => self.redrive(now, ord),
            Happening::OutageBegins(ord) => self.outage_begins(now, ord),
        }
    }

    /// Writes down what will become of a new instance.
    pub(super) fn plan_life(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(instance) = self.ec2.get(id) else { return };
        let pool = instance.pool.clone();
        let faults = self.config.faults;
        let faults_on = self.faults_on(now);
        let roll = |purpose: &str| self.dice.roll(purpose, id);
        let mut due = Vec::new();

        due.push((roll("pending").within(PENDING), Happening::InstanceRuns(id.clone())));
        let has_bad_ami = self.is_out(now, |out| *out == Out::Ami(instance.arch));
        let is_mute = faults_on && roll("unregistered").happens(faults.unregistered_hosts);
        if has_bad_ami || is_mute {
            self.coverage.note(Fault::NeverRegisters);
        } else {
            let boot = roll("boot").within(self.config.boot);
            due.push((boot, Happening::HostRegisters(id.clone())));
        }
        if pool.market == Market::Spot {
            let by_rule = self.config.rule(&pool).and_then(|rule| rule.interruptions);
            let rate = by_rule.unwrap_or(self.config.interruptions);
            let is_unannounced = faults_on && roll("notice").happens(faults.missing_notices);
            if let Some(wait) = roll("rebalance").wait_for(faults.rebalances)
                && self.faults_on(now + wait)
            {
                due.push((wait, Happening::Rebalance(id.clone())));
            }
            if let Some(wait) = roll("interruption").wait_for(rate) {
                due.push(if is_unannounced {
                    (wait, Happening::SpotReclaim(id.clone()))
                } else {
                    (wait, Happening::SpotNotice(id.clone()))
                });
            }
        }
        for (purpose, rate, happening) in [
            ("death", faults.host_deaths, Happening::HostDies(id.clone())),
            ("stopped", faults.host_stops, Happening::InstanceStops(id.clone())),
            ("hang", faults.host_hangs, Happening::HostHangs(id.clone())),
            ("absence", faults.agent_absences, Happening::AgentLeaves(id.clone())),
        ] {
            if let Some(wait) = roll(purpose).wait_for(rate)
                && self.faults_on(now + wait)
            {
                due.push((wait, happening));
            }
        }
        for (wait, happening) in due {
            self.agenda.add(now + wait, happening);
        }
    }

    fn instance_runs(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(instance) = self.ec2.get_mut(id) else { return };
        if instance.status == InstanceStatus::Pending {
            instance.status = InstanceStatus::Running;
            instance.running_at = Some(now);
            self.tell_instance(now, id, InstanceStatus::Running);
        }
    }

    fn host_registers(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(zone) = self.ec2.get(id).map(|instance| instance.pool.zone.clone()) else {
            return;
        };
        if let Some(back_at) = self.zone_back_at(now, &zone) {
            return self.agenda.add(back_at, Happening::HostRegisters(id.clone()));
        }
        if self.is_out(now, |out| *out == Out::Cluster) {
            // The agent ends on a refusal that is not worth repeating (`ClientException`), and nobody starts it again.
            self.note(Fault::NeverRegisters);
            return;
        }
        let Some(instance) = self.ec2.get_mut(id) else { return };
        if !instance.is_alive() {
            return;
        }
        instance.registered_at = Some(now);
        let shape = InstanceShape {
            name: instance.pool.instance_type.clone(),
            arch: instance.arch,
            gpu: instance.gpu,
            nominal: instance.nominal,
        };
        let registered = self.config.registered(&shape);
        // What is planned with before a type is known: 7.5 % less than EC2 says, as Karpenter does.
        let expected = u64::from(shape.nominal.memory.get()) * 925 / 1000;
        if u64::from(registered.memory.get()) < expected {
            self.coverage.note(Fault::RegistersShort);
        }
        self.ecs.register(now, id, registered);
        self.instance_runs(now, id);
        self.tell_host(now, id);
    }

    fn spot_notice(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(instance) = self.ec2.get_mut(id) else { return };
        if !instance.is_alive() || instance.interrupted_at.is_some() {
            return;
        }
        instance.interrupted_at = Some(now);
        let is_late = self.faults_on(now)
            && self.dice.roll("late notice", id).happens(self.config.faults.late_notices);
        let notice = if is_late { LATE_NOTICE } else { self.config.notice };
        self.agenda.add(now + notice, Happening::SpotReclaim(id.clone()));
        self.note(Fault::SpotInterruption);
        self.tell(now, CloudEvent::SpotInterruption { id: id.clone() });
        // Our hosts run with ECS_ENABLE_SPOT_INSTANCE_DRAINING: the agent sees the notice too.
        if let Some(host) = self.ecs.host_of(id) {
            let arn = host.arn.clone();
            self.set_draining(now, &arn);
        }
    }

    fn reclaim(&mut self, now: Timestamp, ord: usize) {
        let Some(reclaim) = self.config.reclaims.get(ord) else { return };
        let is_told = |i: &&crate::ec2::SimInstance| {
            i.pool.market == Market::Spot
                && reclaim.pools.matches(&i.pool)
                && self.dice.roll("reclaim", &format_args!("{ord}/{}", i.id)).happens(reclaim.part)
        };
        let told: Vec<InstanceId> =
            self.ec2.alive().filter(is_told).map(|i| i.id.clone()).collect();
        if MANY_HOSTS <= told.len() {
            self.note(Fault::RetryStorm);
        }
        for id in told {
            self.spot_notice(now, &id);
        }
    }

    /// Its agent is silent from now on, and nothing tells that it is not just away.
    fn host_hangs(&mut self, now: Timestamp, id: &InstanceId) {
        if !self.ec2.get(id).is_some_and(crate::ec2::SimInstance::is_alive) {
            return;
        }
        let Some(host) = self.ecs.host_of_mut(id) else { return };
        host.away_since = host.away_since.or(Some(now));
        host.away_until = Some(Timestamp::MAX);
        self.note(Fault::Impaired);
        self.tell_host(now, id);
    }

    fn rebalance(&mut self, now: Timestamp, id: &InstanceId) {
        if self.ec2.get(id).is_some_and(crate::ec2::SimInstance::is_alive) {
            self.note(Fault::Rebalance);
            self.tell(now, CloudEvent::RebalanceRecommendation { id: id.clone() });
        }
    }

    fn redrive(&mut self, now: Timestamp, ord: usize) {
        if let Some(body) = self.dead_letters.get(ord).map(|letter| letter.body.clone()) {
            self.note(Fault::Redrive);
            self.send_message(now, body);
        }
    }

    fn outage_begins(&mut self, now: Timestamp, ord: usize) {
        let Some(Out::Zone(zone)) = self.config.outages.get(ord).map(|o| o.what.clone()) else {
            return;
        };
        let Some(back_at) = self.zone_back_at(now, &zone) else { return };
        let in_zone: Vec<InstanceId> =
            self.ec2.alive().filter(|i| i.pool.zone == zone).map(|i| i.id.clone()).collect();
        if MANY_HOSTS <= in_zone.len() {
            self.note(Fault::RetryStorm);
        }
        for id in in_zone {
            self.note(Fault::ZoneOutage);
            let Some(host) = self.ecs.host_of_mut(&id) else { continue };
            host.away_since = host.away_since.or(Some(now));
            host.away_until = host.away_until.max(Some(back_at));
            self.agenda.add(back_at, Happening::AgentReturns(id.clone()));
            self.tell_host(now, &id);
        }
    }

    /// An instance ends, for whatever reason: it is not paid any more, and its agent is silent from now on.
    pub(super) fn end_instance(&mut self, now: Timestamp, id: &InstanceId, end: InstanceEnd) {
        if end == InstanceEnd::Terminated && self.ec2.end_stopped(id) {
            let shutdown = self.dice.roll("shutdown", id).within(self.config.shutdown);
            return self.agenda.add(now + shutdown, Happening::InstanceTerminated(id.clone()));
        }
        if !self.ec2.end(now, id, end) {
            return;
        }
        self.note_end(now, id, end);
        if end == InstanceEnd::Reclaimed
            && let Some(instance) = self.ec2.get_mut(id)
        {
            instance.interrupted_at = instance.interrupted_at.or(Some(now));
        }
        if let Some(host) = self.ecs.host_of_mut(id) {
            host.away_until = Some(Timestamp::MAX);
            for arn in self.arns_on(id) {
                if let Some(log) = self.ecs.shared_log_mut(&arn) {
                    log.lose(now);
                }
            }
        }
        self.tell_instance(now, id, InstanceStatus::ShuttingDown);
        if end == InstanceEnd::Stopped {
            let noticed_at = now + self.dice.roll("end noticed", id).within(END_NOTICED);
            return self.agenda.add(noticed_at, Happening::EndNoticed(id.clone()));
        }
        let terminated_at = now + self.dice.roll("shutdown", id).within(self.config.shutdown);
        self.agenda.add(terminated_at, Happening::InstanceTerminated(id.clone()));
        let noticed_at = terminated_at + self.dice.roll("end noticed", id).within(END_NOTICED);
        self.agenda.add(noticed_at, Happening::EndNoticed(id.clone()));
    }

    fn note_end(&mut self, now: Timestamp, id: &InstanceId, end: InstanceEnd) {
        let Some(instance) = self.ec2.get(id) else { return };
        let is_short = now.duration_since(instance.launched_at) < cost::BILLED_MIN;
        let was_announced = instance.interrupted_at.is_some();
        for (is_so, fault) in [
            (is_short, Fault::ShortLife),
            (end == InstanceEnd::Stopped, Fault::StoppedInstance),
            (end == InstanceEnd::Reclaimed && !was_announced, Fault::SpotInterruption),
        ] {
            if is_so {
                self.note(fault);
            }
        }
    }

    fn instance_terminated(&mut self, now: Timestamp, id: &InstanceId) {
        if let Some(instance) = self.ec2.get_mut(id) {
            instance.status = InstanceStatus::Terminated;
            instance.terminated_at = Some(now);
            self.tell_instance(now, id, InstanceStatus::Terminated);
        }
    }

    fn arns_on(&self, id: &InstanceId) -> Vec<TaskArn> {
        self.ecs.tasks_on(id).map(|task| task.arn.clone()).collect()
    }

    /// ECS ends the tasks of a host that is gone and takes the host out.
    fn end_noticed(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(host) = self.ecs.host_of(id) else { return };
        let arn = host.arn.clone();
        for task in self.arns_on(id) {
            let stopped_reason = format!("Host EC2 (instance {id}) terminated.");
            if let Some(task) = self.ecs.task_mut(&task) {
                // An exit that the agent had not reported yet is lost with it.
                task.end = Some(TaskEnd {
                    exit_code: None,
                    stop_code: "TerminationNotice",
                    stopped_reason,
                    container_reason: None,
                    containers: Vec::new(),
                });
            }
            self.move_task(now, &task, TaskStatus::Stopped);
        }
        self.ecs.deregister(&arn);
    }

    fn agent_leaves(&mut self, now: Timestamp, id: &InstanceId) {
        let back_at = now + self.dice.roll("agent back", id).within(self.config.agent_absence);
        let Some(host) = self.ecs.host_of_mut(id) else { return };
        if host.away_until.is_some() {
            return;
        }
        host.away_since = Some(now);
        host.away_until = Some(back_at);
        self.note(Fault::AgentAway);
        self.agenda.add(back_at, Happening::AgentReturns(id.clone()));
        self.tell_host(now, id);
    }

    fn agent_returns(&mut self, now: Timestamp, id: &InstanceId) {
        let Some(host) = self.ecs.host_of_mut(id) else { return };
        // A host that has ended meanwhile stays silent.
        if host.away_until.is_some_and(|until| until <= now) {
            host.away_until = None;
            host.away_since = None;
            self.tell_host(now, id);
        }
    }
}
