//! What may happen next, and what must hold whatever happens.
//!
//! A leader decides on what it believes, writes that on condition that it still leads, and makes the calls that follow from what is
//! written: whoever takes over makes them again. It asks whether it leads before each call; AWS cannot be asked to check that, so a call
//! may still go out after another has taken over. Two times are taken for granted: no call is under way for an hour, and an attempt whose
//! start is not sent again (an hour) is older than that before ECS forgets its token.
//! A step of a run is one event; what a dispatcher was told of tasks and instances is what is so.

use stateright::{Model, Property};

use crate::world::{ATTEMPTS, Call, Host, Instance, Job, LAUNCHES, Ledger, Mode, Task, World};

/// How the dispatcher is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Design {
    Sound,
    /// The ledger does not ask under which epoch is written.
    Unfenced,
    /// A call that is sent again has another token.
    TokenOfCall,
    /// Nobody looks for instances without a record.
    NoAdoption,
    /// The message is deleted before what it says is written.
    DeletesFirst,
    /// A start is sent again however old it is.
    SendsOldStarts,
}

/// The model.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) design: Design,
    pub(crate) n_mishaps: u8,
}

/// What happens. The number is the dispatcher's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    TakesLead(usize),
    Decides(usize, Ledger),
    Commits(usize),
    Begins(usize, Call),
    Performs(usize),
    /// It happens, and the caller does not learn it.
    LosesAnswer(usize),
    Dies(usize),
    Pauses(usize),
    Resumes(usize),
    /// The message comes again.
    Redelivers,
    TaskExits(usize),
    InstanceDies(usize),
    /// An hour passes over an attempt.
    Ages(usize),
    /// An hour passes over a launch that nobody has answered.
    GoesStale(usize),
    /// ECS forgets a task that is over.
    Forgets(usize),
}

impl Event {
    fn is_mishap(&self) -> bool {
        match self {
            Self::LosesAnswer(_)
            | Self::Dies(_)
            | Self::Pauses(_)
            | Self::Redelivers
            | Self::InstanceDies(_)
            | Self::Ages(_)
            | Self::GoesStale(_) => true,
            Self::TakesLead(_)
            | Self::Decides(..)
            | Self::Commits(_)
            | Self::Begins(..)
            | Self::Performs(_)
            | Self::Resumes(_)
            | Self::TaskExits(_)
            | Self::Forgets(_) => false,
        }
    }
}

/// The job after its attempt was lost.
fn tried_again(attempt: usize) -> Job {
    let next = attempt + 1;
    if next < ATTEMPTS { Job::Waiting { attempt: next } } else { Job::Done }
}

impl Lease {
    /// Everything that a leader may decide now, each by itself.
    fn decisions(&self, world: &World, me: usize) -> Vec<Ledger> {
        let dispatcher = &world.dispatchers[me];
        let view = &dispatcher.view;
        let with_job = |job: Job| Ledger { job, ..view.clone() };
        let with_host = |launch: usize, host: Host| {
            let mut next = view.clone();
            next.hosts[launch] = host;
            next
        };
        if let Some(call) = dispatcher.heard {
            return vec![heard(view, call)];
        }
        let mut decisions = Vec::new();
        if 0 < world.n_messages && view.job == Job::Absent {
            decisions.push(with_job(Job::Waiting { attempt: 0 }));
        }
        for launch in 0..LAUNCHES {
            let (host, is_alive) = (view.hosts[launch], world.token_of(launch).is_some());
            let was_bought = world.instances[launch] != Instance::None;
            match host {
                // EC2 shows it terminated: whatever ran there is lost with it.
                Host::Launched | Host::Terminating if !is_alive && was_bought => {
                    let mut next = with_host(launch, Host::Gone);
                    if let Job::Starting { attempt, launch: of_job, .. } = view.job
                        && of_job == launch
                    {
                        next.job = tried_again(attempt);
                    }
                    decisions.push(next);
                }
                // Nobody has answered for an hour: it is planned anew.
                Host::Requested if world.is_stale[launch] => {
                    decisions.push(with_host(launch, Host::Gone));
                }
                Host::Launched if view.job == Job::Done => {
                    decisions.push(with_host(launch, Host::Terminating));
                }
                // It is paid, and nobody has it on record.
                Host::None | Host::Gone if is_alive && self.design != Design::NoAdoption => {
                    decisions.push(with_host(launch, Host::Launched));
                }
                Host::None | Host::Requested | Host::Launched | Host::Terminating | Host::Gone => {}
            }
        }
        match view.job {
            Job::Waiting { attempt } => {
                let ready = (0..LAUNCHES).find(|launch| {
                    view.hosts[*launch] == Host::Launched && world.token_of(*launch).is_some()
                });
                let is_coming =
                    view.hosts.iter().any(|host| matches!(host, Host::Requested | Host::Launched));
                let unused = view.hosts.iter().position(|host| *host == Host::None);
                if let Some(launch) = ready {
                    decisions.push(with_job(Job::Starting { attempt, launch, is_named: false }));
                } else if let (false, Some(launch)) = (is_coming, unused) {
                    decisions.push(with_host(launch, Host::Requested));
                }
            }
            Job::Starting { attempt, launch, is_named } => match world.tasks[attempt] {
                // News of it names it, if its start's answer did not.
                Task::Exited => decisions.push(with_job(Job::Done)),
                Task::Forgotten if is_named => decisions.push(with_job(tried_again(attempt))),
                Task::Running { .. } if !is_named => {
                    decisions.push(with_job(Job::Starting { attempt, launch, is_named: true }));
                }
                // Nobody can say whether a task runs there: its host's end makes sure of it.
                Task::None | Task::Forgotten
                    if world.is_old[attempt] && view.hosts[launch] == Host::Launched =>
                {
                    decisions.push(with_host(launch, Host::Terminating));
                }
                Task::None | Task::Running { .. } | Task::Killed | Task::Forgotten => {}
            },
            Job::Absent | Job::Done => {}
        }
        decisions
    }

    /// The calls that follow from what a leader knows to be written.
    fn calls(&self, world: &World, me: usize) -> Vec<Call> {
        let view = &world.dispatchers[me].view;
        let mut calls = Vec::new();
        for launch in 0..LAUNCHES {
            match view.hosts[launch] {
                Host::Requested if !world.is_stale[launch] => {
                    let is_again = world.instances[launch] != Instance::None;
                    let draws_anew = self.design == Design::TokenOfCall && is_again;
                    let token = if draws_anew { launch + LAUNCHES } else { launch };
                    calls.push(Call::Launch { launch, token });
                }
                Host::Terminating if world.token_of(launch).is_some() => {
                    calls.push(Call::Terminate { launch });
                }
                Host::None | Host::Requested | Host::Launched | Host::Terminating | Host::Gone => {}
            }
        }
        if let Job::Starting { attempt, launch, is_named: false } = view.job {
            let is_due = !world.is_old[attempt] || self.design == Design::SendsOldStarts;
            let was_refused =
                world.token_of(launch).is_none() && world.tasks[attempt] == Task::None;
            if is_due && !was_refused {
                calls.push(Call::Start { attempt, launch });
            }
        }
        let is_durable = view.job != Job::Absent || self.design == Design::DeletesFirst;
        if 0 < world.n_messages && is_durable {
            calls.push(Call::Delete);
        }
        calls
    }

    fn of_dispatcher(&self, world: &World, me: usize, events: &mut Vec<Event>) {
        let dispatcher = &world.dispatchers[me];
        let other = &world.dispatchers[1 - me];
        match dispatcher.mode {
            Mode::Standby => {
                // The lease of one that renews it does not run out.
                let is_led = other.mode == Mode::Leads && other.epoch == world.ledger.epoch;
                if !is_led {
                    events.push(Event::TakesLead(me));
                }
            }
            Mode::Paused => events.push(Event::Resumes(me)),
            Mode::Leads => {
                events.extend([Event::Dies(me), Event::Pauses(me)]);
                if dispatcher.calling.is_some() {
                    events.extend([Event::Performs(me), Event::LosesAnswer(me)]);
                } else if dispatcher.pending.is_some() {
                    events.push(Event::Commits(me));
                } else {
                    let decisions = self.decisions(world, me);
                    events.extend(decisions.into_iter().map(|next| Event::Decides(me, next)));
                    if dispatcher.heard.is_none() {
                        let calls = self.calls(world, me);
                        events.extend(calls.into_iter().map(|call| Event::Begins(me, call)));
                    }
                }
            }
        }
    }

    fn perform(world: &mut World, call: Call) {
        match call {
            Call::Launch { token, .. } => {
                // A token that is known buys nothing.
                if world.instances[token] == Instance::None {
                    world.instances[token] = Instance::Alive;
                }
            }
            Call::Start { attempt, launch } => {
                let is_known = !matches!(world.tasks[attempt], Task::None | Task::Forgotten);
                if let (false, Some(token)) = (is_known, world.token_of(launch)) {
                    world.tasks[attempt] = Task::Running { token };
                    world.n_started[attempt] += 1;
                }
            }
            Call::Terminate { launch } => {
                if let Some(token) = world.token_of(launch) {
                    end(world, token);
                }
            }
            Call::Delete => world.n_messages = world.n_messages.saturating_sub(1),
        }
    }

    fn happen(&self, world: &mut World, event: Event) {
        match event {
            Event::TakesLead(me) => {
                world.ledger.epoch += 1;
                let ledger = world.ledger.clone();
                let dispatcher = &mut world.dispatchers[me];
                dispatcher.mode = Mode::Leads;
                dispatcher.epoch = ledger.epoch;
                dispatcher.view = ledger;
            }
            Event::Decides(me, next) => {
                world.dispatchers[me].pending = Some(next);
                world.dispatchers[me].heard = None;
            }
            Event::Commits(me) => {
                let Some(next) = world.dispatchers[me].pending.take() else { return };
                let epoch = world.ledger.epoch;
                if world.dispatchers[me].epoch == epoch || self.design == Design::Unfenced {
                    world.ledger = Ledger { epoch, ..next };
                    world.dispatchers[me].view = world.ledger.clone();
                } else {
                    step_down(world, me);
                }
            }
            Event::Begins(me, call) => {
                if world.dispatchers[me].epoch == world.ledger.epoch {
                    world.dispatchers[me].calling = Some(call);
                } else {
                    step_down(world, me);
                }
            }
            Event::Performs(me) => {
                let Some(call) = world.dispatchers[me].calling.take() else { return };
                Self::perform(world, call);
                let is_heard = matches!(call, Call::Launch { .. } | Call::Start { .. });
                world.dispatchers[me].heard = is_heard.then_some(call);
            }
            Event::LosesAnswer(me) => {
                let Some(call) = world.dispatchers[me].calling.take() else { return };
                Self::perform(world, call);
            }
            Event::Dies(me) => step_down(world, me),
            Event::Pauses(me) => world.dispatchers[me].mode = Mode::Paused,
            Event::Resumes(me) => world.dispatchers[me].mode = Mode::Leads,
            Event::Redelivers => world.n_messages += 1,
            Event::TaskExits(attempt) => world.tasks[attempt] = Task::Exited,
            Event::InstanceDies(token) => end(world, token),
            Event::Ages(attempt) => world.is_old[attempt] = true,
            Event::GoesStale(launch) => world.is_stale[launch] = true,
            Event::Forgets(attempt) => world.tasks[attempt] = Task::Forgotten,
        }
    }

    /// Whether nothing is left that has to happen.
    fn is_over(&self, world: &World) -> bool {
        let mut events = Vec::new();
        self.actions(world, &mut events);
        events.iter().all(Event::is_mishap)
    }
}

/// What an answer says.
fn heard(view: &Ledger, call: Call) -> Ledger {
    let mut next = view.clone();
    match call {
        Call::Launch { launch, .. } => {
            if next.hosts[launch] == Host::Requested {
                next.hosts[launch] = Host::Launched;
            }
        }
        Call::Start { attempt, launch } => {
            let is_live =
                matches!(next.job, Job::Starting { attempt: live, .. } if live == attempt);
            if is_live {
                next.job = Job::Starting { attempt, launch, is_named: true };
            }
        }
        Call::Terminate { .. } | Call::Delete => {}
    }
    next
}

/// What it knew is gone, and what it was about to do.
fn step_down(world: &mut World, me: usize) {
    let dispatcher = &mut world.dispatchers[me];
    let fresh = &World::new(0).dispatchers[me];
    dispatcher.clone_from(fresh);
}

/// An instance ends, and with it what runs there.
fn end(world: &mut World, token: usize) {
    world.instances[token] = Instance::Dead;
    for task in &mut world.tasks {
        if *task == (Task::Running { token }) {
            *task = Task::Killed;
        }
    }
}

impl Model for Lease {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.n_mishaps)]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        for me in 0..2 {
            self.of_dispatcher(world, me, events);
        }
        if world.n_messages == 0 {
            events.push(Event::Redelivers);
        }
        for attempt in 0..ATTEMPTS {
            let is_starting = world.is_under_way(
                |call| matches!(call, Call::Start { attempt: of_call, .. } if *of_call == attempt),
            );
            match world.tasks[attempt] {
                Task::Running { .. } => events.push(Event::TaskExits(attempt)),
                Task::Exited | Task::Killed if world.is_old[attempt] && !is_starting => {
                    events.push(Event::Forgets(attempt));
                }
                Task::None | Task::Exited | Task::Killed | Task::Forgotten => {}
            }
            let is_live =
                matches!(world.ledger.job, Job::Starting { attempt: live, .. } if live == attempt);
            if is_live && !is_starting && !world.is_old[attempt] {
                events.push(Event::Ages(attempt));
            }
        }
        for launch in 0..LAUNCHES {
            let is_asked = world.is_under_way(
                |call| matches!(call, Call::Launch { launch: of_call, .. } if *of_call == launch),
            );
            let is_open = world.ledger.hosts[launch] == Host::Requested;
            if is_open && !is_asked && !world.is_stale[launch] {
                events.push(Event::GoesStale(launch));
            }
        }
        for (token, instance) in world.instances.iter().enumerate() {
            if *instance == Instance::Alive {
                events.push(Event::InstanceDies(token));
            }
        }
        if world.mishaps_left == 0 {
            events.retain(|event| !event.is_mishap());
        }
    }

    fn next_state(&self, world: &World, event: Event) -> Option<World> {
        let mut next = world.clone();
        next.mishaps_left -= u8::from(event.is_mishap());
        self.happen(&mut next, event);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no attempt has two tasks", |_, world: &World| {
                world.n_started.iter().all(|n| *n <= 1)
            }),
            Property::always("no two tasks run", |_, world: &World| world.n_running() <= 1),
            Property::always("no instance is left to nobody", |model: &Self, world: &World| {
                let is_paid = world.instances.contains(&Instance::Alive);
                !is_paid || !model.is_over(world)
            }),
            Property::always("the job ends", |model: &Self, world: &World| {
                world.ledger.job == Job::Done || !model.is_over(world)
            }),
            Property::always("an end stays", |_, world: &World| {
                // Written once: whoever believes it has ended is right.
                let believes = |job: Job| job == Job::Done;
                world
                    .dispatchers
                    .iter()
                    .all(|d| !believes(d.view.job) || believes(world.ledger.job))
            }),
            Property::sometimes(
                "it happens that a leader goes on after another",
                |_, world: &World| {
                    let leads = |d: &&crate::world::Dispatcher| d.mode == Mode::Leads;
                    world.dispatchers.iter().filter(leads).count() == 2
                },
            ),
            Property::sometimes("it happens that a second attempt runs", |_, world: &World| {
                matches!(world.tasks[1], Task::Running { .. })
            }),
        ]
    }
}
