//! What there is: the ledger with its lease, AWS with its tokens, and two dispatchers. Only states; what may happen says `model.rs`.

/// Launches there may be: each is one host.
pub(crate) const LAUNCHES: usize = 4;

/// Attempts there may be.
pub(crate) const ATTEMPTS: usize = 4;

/// Tokens that `CreateFleet` may see: one for each launch, and one more where a broken design draws another.
pub(crate) const TOKENS: usize = 2 * LAUNCHES;

/// The one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Job {
    /// Its message has not been taken.
    Absent,
    /// It has no host; this attempt would be next.
    Waiting { attempt: usize },
    /// Its attempt is on the host of a launch; whether ECS has named its task.
    Starting { attempt: usize, launch: usize, is_named: bool },
    /// It has ended.
    Done,
}

/// What the ledger says of a launch and of its one host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    /// There is none.
    #[default]
    None,
    /// The intent is written down; EC2 has not answered.
    Requested,
    /// It is there.
    Launched,
    /// It is to end.
    Terminating,
    /// It is over, or never was.
    Gone,
}

/// Everything durable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ledger {
    /// Who leads: each leader's number is one more than that of the one before.
    pub(crate) epoch: u8,
    pub(crate) job: Job,
    pub(crate) hosts: [Host; LAUNCHES],
}

/// An instance of EC2, by the token that made it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Instance {
    #[default]
    None,
    /// It is paid.
    Alive,
    Dead,
}

/// A task of ECS, by its attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    #[default]
    None,
    /// On the instance of this token.
    Running { token: usize },
    /// It ran to its end.
    Exited,
    /// It ended with its instance.
    Killed,
    /// It is over for so long that ECS knows neither it nor its token.
    Forgotten,
}

/// A call that changes something outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    /// `CreateFleet`.
    Launch { launch: usize, token: usize },
    /// `RunTask`, pinned to the instance of a token.
    Start { attempt: usize, launch: usize },
    /// `TerminateInstances`.
    Terminate { launch: usize },
    /// `DeleteMessage`.
    Delete,
}

/// Where a dispatcher stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// It does not lead: it died, or waits for the lease.
    Standby,
    Leads,
    /// It does not know that time passes; what it was about to do it does when it goes on.
    Paused,
}

/// One dispatcher.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Dispatcher {
    pub(crate) mode: Mode,
    /// The epoch under which it writes.
    pub(crate) epoch: u8,
    /// What it believes the ledger to hold.
    pub(crate) view: Ledger,
    /// What it has decided and not written yet.
    pub(crate) pending: Option<Ledger>,
    /// A call that it began while it had the lease.
    pub(crate) calling: Option<Call>,
    /// A call whose answer it has heard.
    pub(crate) heard: Option<Call>,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) dispatchers: [Dispatcher; 2],
    /// Copies of the job's message on the queue.
    pub(crate) n_messages: u8,
    pub(crate) instances: [Instance; TOKENS],
    pub(crate) tasks: [Task; ATTEMPTS],
    /// How many tasks there ever were under the token of each attempt.
    pub(crate) n_started: [u8; ATTEMPTS],
    /// Launches that nobody has answered for so long that they are planned anew.
    pub(crate) is_stale: [bool; LAUNCHES],
    /// Attempts that are so old that a start is not sent again.
    pub(crate) is_old: [bool; ATTEMPTS],
    pub(crate) mishaps_left: u8,
}

impl World {
    pub(crate) fn new(n_mishaps: u8) -> Self {
        let ledger = Ledger { epoch: 0, job: Job::Absent, hosts: [Host::None; LAUNCHES] };
        let dispatcher = Dispatcher {
            mode: Mode::Standby,
            epoch: 0,
            view: ledger.clone(),
            pending: None,
            calling: None,
            heard: None,
        };
        Self {
            ledger,
            dispatchers: [dispatcher.clone(), dispatcher],
            n_messages: 1,
            instances: [Instance::None; TOKENS],
            tasks: [Task::None; ATTEMPTS],
            n_started: [0; ATTEMPTS],
            is_stale: [false; LAUNCHES],
            is_old: [false; ATTEMPTS],
            mishaps_left: n_mishaps,
        }
    }

    /// The instance of a launch that is paid, under whichever token.
    pub(crate) fn token_of(&self, launch: usize) -> Option<usize> {
        let tokens = [launch, launch + LAUNCHES];
        tokens.into_iter().find(|token| self.instances[*token] == Instance::Alive)
    }

    pub(crate) fn is_under_way(&self, is_it: impl Fn(&Call) -> bool) -> bool {
        self.dispatchers.iter().filter_map(|d| d.calling.as_ref()).any(is_it)
    }

    pub(crate) fn n_running(&self) -> usize {
        self.tasks.iter().filter(|task| matches!(task, Task::Running { .. })).count()
    }
}
