//! The catalogue of what goes wrong: 46 faults by number, and how often each has happened.
//!
//! A fault is counted where it *happens* in the simulated world, not where it is asked for: a scenario that asks for lost
//! events and sends none has shown nothing. `README.md` beside this crate says of each where it is simulated.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! catalogue {
    ($($name:ident = $number:literal, $title:literal;)*) => {
        /// A fault of the catalogue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $(#[doc = $title] $name,)*
        }

        impl Fault {
            /// All of them, by number.
            pub const ALL: [Self; 46] = [$(Self::$name,)*];

            /// Its number in the catalogue, from 1.
            pub const fn number(self) -> u8 {
                match self {
                    $(Self::$name => $number,)*
                }
            }

            /// What it is, in a few words.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)*
                }
            }
        }
    };
}

catalogue! {
    DuplicateMessage = 1, "a message is delivered twice, or again after its delete";
    Redelivery = 2, "a message comes again because its visibility ran out";
    CrashAroundStore = 3, "the dispatcher dies between receiving, storing and deleting a message";
    CrashAroundLaunch = 4, "the dispatcher dies, or the answer is lost, between CreateFleet and recording it";
    CrashAroundRunTask = 5, "the dispatcher dies, or the answer is lost, between RunTask and recording it";
    SplitBrain = 6, "a paused leader goes on beside the one that took over";
    ClockSkew = 7, "the dispatcher's clock is wrong, or leaps";
    Throttled = 8, "a call is throttled";
    StaleRead = 9, "a read shows an older state";
    PoisonMessage = 10, "a message that can never be a job";
    Oversized = 11, "a job that no host can hold";
    Redrive = 12, "a dead letter is sent to the queue again";
    QueueGone = 13, "the job queue is gone or denied";
    ClusterGone = 14, "the cluster is gone or INACTIVE";
    CredentialsExpired = 15, "credentials expire";
    LedgerUnavailable = 16, "the ledger cannot be written";
    ResultLost = 17, "the dispatcher dies between an event and its record or its delete";
    NoCapacity = 18, "a pool has no capacity";
    PartialFleet = 19, "CreateFleet gives fewer, or more, than it was asked for";
    SpotDry = 20, "no Spot pool has anything";
    QuotaReached = 21, "an account limit is reached";
    ZoneOutage = 22, "a zone is cut off";
    NeverRegisters = 23, "a host never registers";
    RegistersShort = 24, "a host registers with less than was planned";
    AgentAway = 25, "a host's agent is away";
    SpotInterruption = 26, "a Spot host is taken back: with its notice, late, or without";
    Rebalance = 27, "a rebalance recommendation";
    Impaired = 28, "a host hangs while EC2 shows it running";
    LeakedInstance = 29, "an instance is paid without a record";
    DrainRace = 30, "a task meets a host that drains or is gone";
    DrainUnderTask = 31, "a host drains under a running task";
    ShortLife = 32, "an instance ends within the minute that is billed anyhow";
    StoppedInstance = 33, "an instance is stopped, not terminated, and keeps its disk";
    StuckPending = 34, "a task stays PENDING for long, or for ever";
    PullFailure = 35, "an image cannot be pulled";
    OutOfMemory = 36, "a container is killed for memory";
    RunsForEver = 37, "a container ignores SIGTERM, or every signal";
    OddEnd = 38, "a task stops without an exit code, for a reason nobody knows";
    RecordExpired = 39, "ECS has forgotten a task before its end was heard";
    EventTrouble = 40, "an event is lost, doubled, or about something unknown";
    Zombie = 41, "a task is alive that is believed lost";
    CancelRace = 42, "an order to stop meets an end";
    DefinitionThrottled = 43, "RegisterTaskDefinition is throttled";
    RetryStorm = 44, "many attempts fail through the infrastructure at once";
    ReportLost = 45, "the report of a shared task is late or cut off";
    CallDenied = 46, "a call is not allowed";
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.title())
    }
}

/// How often each fault has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<Fault, u64>);

impl Coverage {
    /// It has happened once more.
    pub fn note(&mut self, fault: Fault) {
        self.add(fault, 1);
    }

    /// It has happened so many times more.
    pub fn add(&mut self, fault: Fault, n: u64) {
        if 0 < n {
            let count = self.0.entry(fault).or_default();
            *count = count.saturating_add(n);
        }
    }

    /// What another run has seen is seen.
    pub fn merge(&mut self, other: &Self) {
        for (fault, n) in &other.0 {
            self.add(*fault, *n);
        }
    }

    /// How often it has happened.
    pub fn get(&self, fault: Fault) -> u64 {
        self.0.get(&fault).copied().unwrap_or(0)
    }

    /// What has not happened.
    pub fn missing(&self) -> Vec<Fault> {
        Fault::ALL.into_iter().filter(|fault| self.get(*fault) == 0).collect()
    }
}

/// By number.
impl Serialize for Coverage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(fault, n)| (fault.number(), n)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_catalogue_without_a_gap() {
        let numbers: Vec<u8> = Fault::ALL.iter().map(|fault| fault.number()).collect();

        assert_eq!(numbers, (1..=46).collect::<Vec<u8>>());
    }

    #[test]
    fn what_never_happened_is_missing_and_runs_add_up() {
        let (mut one, mut other) = (Coverage::default(), Coverage::default());
        one.note(Fault::Redrive);
        other.add(Fault::Redrive, 2);
        other.add(Fault::Zombie, 0);

        one.merge(&other);

        assert_eq!(one.get(Fault::Redrive), 3);
        assert_eq!(one.missing().len(), 45);
    }
}
