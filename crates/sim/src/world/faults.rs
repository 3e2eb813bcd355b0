//! Which faults befall the world by chance, class by class, and those that are written down with their times.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use spillway_core::{Arch, Zone};

use crate::setting::{Chance, Span};

/// A kind of fault that happens by chance.
#[derive(Debug, Clone, Copy)]
pub struct FaultClass {
    /// Its key in a scenario.
    pub name: &'static str,
    /// The highest chance that random scenarios give it.
    pub highest: Chance,
    slot: fn(&mut Faults) -> &mut Chance,
}

impl FaultClass {
    /// Its chance in these faults.
    pub fn of<'f>(&self, faults: &'f mut Faults) -> &'f mut Chance {
        (self.slot)(faults)
    }
}

macro_rules! classes {
    ($($(#[doc = $doc:literal])* $name:ident <= $percent:literal;)*) => {
        /// What goes wrong by chance, and how often. A rate is a mean number of times per hour.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Faults {
            /// From then on, counted from the start, nothing goes wrong any more; none is never.
            pub until: Option<Span>,
            $($(#[doc = $doc])* pub $name: Chance,)*
        }

        impl Faults {
            /// Every class.
            pub const CLASSES: &[FaultClass] = &[
                $(FaultClass {
                    name: stringify!($name),
                    highest: Chance::percent($percent),
                    slot: |faults| &mut faults.$name,
                },)*
            ];
        }
    };
}

classes! {
    /// A message of the job queue is delivered by SQS once more than it was sent, minutes later or hours.
    message_duplicates <= 50;
    /// A dead letter is sent to the job queue again, once.
    redrives <= 80;
    /// An event is delivered once more.
    event_duplicates <= 50;
    /// An event never comes.
    event_losses <= 60;
    /// With an event comes one about something that is not ours.
    foreign_events <= 20;
    /// A call gets no clear answer. Half of them have done their work all the same.
    unsettled_calls <= 15;
    /// A call is throttled.
    throttled_calls <= 20;
    /// A read shows what was so up to a minute ago.
    stale_reads <= 60;
    /// For a quarter of an hour lists leave an instance out that is there.
    list_gaps <= 8;
    /// A pool is dry for a quarter of an hour.
    dry_pools <= 60;
    /// A launch gives one instance more than it was asked for.
    surplus_hosts <= 30;
    /// A host boots and never registers.
    unregistered_hosts <= 15;
    /// How often an hour a host dies without warning.
    host_deaths <= 50;
    /// How often an hour an instance is stopped by somebody: it is not billed, and keeps its disk until it is terminated.
    host_stops <= 30;
    /// How often an hour a host hangs for good: its agent is silent, and EC2 shows it running.
    host_hangs <= 30;
    /// How often an hour a host's agent goes away for a while.
    agent_absences <= 100;
    /// How often an hour a Spot host is recommended to be rebalanced.
    rebalances <= 100;
    /// A Spot interruption comes without its notice.
    missing_notices <= 50;
    /// A Spot interruption is announced five seconds before it comes.
    late_notices <= 50;
    /// An image pull fails.
    pull_failures <= 10;
    /// An image pull takes ten minutes to two hours.
    slow_pulls <= 5;
    /// A container ends on no signal, not even SIGKILL.
    stuck_stops <= 3;
    /// A task fails to start, for a reason that nobody knows.
    odd_ends <= 10;
    /// The lines of a shared task reach its log ten seconds to four minutes late.
    log_delays <= 30;
    /// The log of a shared task is lost from somewhere on.
    log_losses <= 30;
    /// The dispatcher dies after a step: what it wrote is written, what it wanted to do is not done, and answers on
    /// their way are lost. It starts again from its ledger.
    crashes <= 5;
    /// One that died is away for an hour to a day.
    long_outages <= 10;
    /// The dispatcher is paused in a step until another has taken over, and then goes on where it was.
    splits <= 2;
    /// The dispatcher's clock is wrong by up to five minutes when it starts: with more, AWS refuses its signatures.
    clock_skews <= 100;
    /// The dispatcher's clock leaps by up to five minutes, forward or back.
    clock_leaps <= 1;
}

/// What is out, from a moment on and for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// What.
    pub what: Out,
    /// From when, counted from the start.
    pub from: SignedDuration,
    /// For how long.
    pub lasts: SignedDuration,
}

/// What can be out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Out {
    /// The job queue does not exist, or its key is denied.
    JobQueue,
    /// The cluster is INACTIVE: ECS refuses every call, and hosts cannot register.
    Cluster,
    /// Every call is denied: the credentials have expired.
    Credentials,
    /// This call is denied, such as `ecs:RunTask`.
    Call(String),
    /// The ledger cannot be written.
    Ledger,
    /// A zone is cut off: nothing is launched there, its agents are silent, its tasks run on, instances there cannot be ended, and
    /// `DescribeInstances` fails as a whole.
    Zone(Zone),
    /// No Spot pool has anything.
    Spot,
    /// Hosts of an architecture never register: its AMI is broken.
    Ami(Arch),
    /// This image cannot be pulled.
    Image(String),
}
