//! One type for each kind of id, checked where it enters.

mod job;

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use job::array_index;
pub use job::{ARRAY_INDEX_MAX, JobId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The namespace of every id that Spillway derives. A random constant; it must never change.
pub const NAMESPACE: Uuid = Uuid::from_u128(0x7d0e_7c4b_61a5_4a8e_9a6b_0c5d_2f43_81e9);

/// Why a text is not an id of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct IdError {
    /// What was given, cut to a readable length.
    pub text: String,
    /// What was expected, with its article.
    pub expected: &'static str,
}

impl IdError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(160).collect(), expected }
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(IdError::new(text, $expected)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

/// AWS Batch's rule for names of jobs, queues and definitions: 1 to 128 of letters, digits, `-`, `_`, the
/// first a letter or digit (API reference of `SubmitJob`).
fn is_batch_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && text.len() <= 128
}

/// AWS Batch takes 255 letters and digits (API reference, `ShareAttributes.shareIdentifier`). A trailing `*` belongs to the rule
/// that matches it.
fn is_share_id(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=255).contains(&text.len()) && text.bytes().all(is_part)
}

fn is_printable_ascii(text: &str, len_max: usize) -> bool {
    !text.is_empty() && text.len() <= len_max && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_ec2_instance_id(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|hex| {
        (8..=17).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

text_id!(
    /// A job's name: not unique, for people.
    JobName, "a job name (1 to 128 letters, digits, '-' or '_', starting with a letter or digit)", is_batch_name
);
text_id!(
    /// The name of a job queue.
    QueueName, "a queue name (1 to 128 letters, digits, '-' or '_', starting with a letter or digit)", is_batch_name
);
text_id!(
    /// A share of a job queue; AWS Batch's `shareIdentifier`.
    ShareId, "a share identifier (1 to 255 letters, digits, '-' or '_')", is_share_id
);
text_id!(
    /// The name of a pool of offerings, as the configuration has it.
    PoolName, "a pool name (1 to 128 letters, digits, '-' or '_', starting with a letter or digit)", is_batch_name
);
text_id!(
    /// The name of a budget, as the configuration has it.
    BudgetName, "the name of a budget (1 to 128 letters, digits, '-' or '_', starting with a letter or digit)", is_batch_name
);
text_id!(
    /// The name of a consumable resource: something that there is only so much of, such as licences.
    ConsumableName, "the name of a consumable resource (1 to 128 letters, digits, '-' or '_', starting with a letter or digit)", is_batch_name
);
text_id!(
    /// An EC2 instance id, `i-` and 8 to 17 hex digits.
    InstanceId, "an EC2 instance id (i-0123456789abcdef0)", is_ec2_instance_id
);
text_id!(
    /// The ARN of an ECS task.
    TaskArn, "an ECS task ARN", |t| t.starts_with("arn:") && is_printable_ascii(t, 2048)
);
text_id!(
    /// The ARN under which ECS registered a host.
    ContainerInstanceArn, "an ECS container instance ARN", |t| t.starts_with("arn:") && is_printable_ascii(t, 2048)
);
text_id!(
    /// An availability zone, such as `us-east-1a`.
    Zone, "an availability zone", |t| is_printable_ascii(t, 64)
);
text_id!(
    /// What makes a repeated call the same call: at most 64 printable ASCII characters (EC2 and ECS alike).
    ClientToken, "a client token (1 to 64 printable ASCII characters)", |t| is_printable_ascii(t, 64)
);
text_id!(
    /// The name of this installation; every machine it buys carries it in the tag `spillway:deployment`.
    DeploymentName, "a deployment name (1 to 128 letters, digits, '-' or '_')", is_batch_name
);

/// The share of jobs that name none.
impl Default for ShareId {
    fn default() -> Self {
        Self("default".into())
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        // The order of the texts, compared as numbers.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.as_u128().cmp(&other.0.as_u128())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// The id with this value.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Its value.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError::new(text, "a UUID"))
            }
        }
    };
}

uuid_id!(
    /// One launch: what was decided to be bought in one call. Its text is the call's client token.
    LaunchId
);
uuid_id!(
    /// One host, from the decision to buy it to its end. EC2 names it only later ([`InstanceId`]).
    HostId
);
uuid_id!(
    /// The ledger itself, drawn once when it is created, so that two ledgers never draw equal tokens.
    LedgerId
);

impl LaunchId {
    /// The `ord`-th launch ever decided in `ledger`.
    pub fn derive(ledger: LedgerId, ord: u64) -> Self {
        Self(Uuid::new_v5(&ledger.uuid(), format!("launch\n{ord}").as_bytes()))
    }
}

impl HostId {
    /// The `ord`-th host of `launch`.
    pub fn derive(launch: LaunchId, ord: u32) -> Self {
        Self(Uuid::new_v5(&launch.uuid(), format!("host\n{ord}").as_bytes()))
    }

    /// The id of a host that is found running without a record, but with our tag.
    pub fn adopted(instance: &InstanceId) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("adopted\n{instance}").as_bytes()))
    }
}

/// Which attempt of a job this is, counted from 1 over every attempt that was ever placed, whether or not it
/// used up one of the job's retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptOrd(NonZeroU32);

impl AttemptOrd {
    /// The first attempt.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The attempt with this number, from 1; none for 0.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The attempt after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Its number, from 1.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for AttemptOrd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl ClientToken {
    /// The token of a launch: its id.
    pub fn of_launch(launch: LaunchId) -> Self {
        Self(launch.to_string().into())
    }

    /// The token that makes starting this attempt idempotent: `<job id>-<attempt>`, or `<array id>_<index>-<attempt>` for a
    /// child, because `startedBy` takes no colon (ECS API reference, `RunTask`). 38 to 58 characters.
    ///
    /// ECS keeps a RunTask token for 24 hours at most (ECS API reference, "Ensuring idempotency").
    pub fn of_attempt(job: JobId, attempt: AttemptOrd) -> Self {
        let text = match (job.index(), job.node_index()) {
            (None, None) => format!("{job}-{attempt}"),
            (Some(index), _) => format!("{}_{index}-{attempt}", job.uuid()),
            (None, Some(node)) => format!("{}_n{node}-{attempt}", job.uuid()),
        };
        Self(text.into())
    }

    /// The job and attempt of a token made by [`Self::of_attempt`], as found in a task's `startedBy`.
    pub fn parse_attempt(text: &str) -> Option<(JobId, AttemptOrd)> {
        let (job, ord) = text.rsplit_once('-')?;
        let job = match job.split_once('_') {
            None => JobId::from_uuid(Uuid::parse_str(job).ok()?),
            Some((whole, index)) => {
                let whole = JobId::from_uuid(Uuid::parse_str(whole).ok()?);
                match index.strip_prefix('n') {
                    Some(node) => whole.node(array_index(node)?),
                    None => whole.child(array_index(index)?),
                }
            }
        };
        Some((job, AttemptOrd(ord.parse().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_and_the_dispatcher_derive_the_same_job_id() {
        let queue: QueueName = "spot-default".parse().unwrap();

        let id = JobId::derive(&queue, "align-0017");

        assert_eq!(id, JobId::derive(&queue, "align-0017"));
        assert_ne!(id, JobId::derive(&queue, "align-0018"));
        assert_ne!(id, JobId::derive(&"other".parse().unwrap(), "align-0017"));
        assert_eq!(id.to_string(), "290f9993-9821-5417-9e19-119b12a9b481");
    }

    #[test]
    fn an_attempt_is_found_again_in_started_by() {
        let job = JobId::derive(&"q".parse().unwrap(), "t");
        let attempt = AttemptOrd::FIRST.next();

        let token = ClientToken::of_attempt(job, attempt);

        assert_eq!(ClientToken::parse_attempt(token.as_str()), Some((job, attempt)));
        assert_eq!(ClientToken::parse_attempt("ecs-svc/123"), None);
    }

    #[test]
    fn an_attempt_of_a_child_is_found_again_and_its_token_is_legal_as_started_by() {
        let child = JobId::derive(&"q".parse().unwrap(), "t").child(999_999_999);
        let attempt = AttemptOrd(NonZeroU32::MAX);

        let token = ClientToken::of_attempt(child, attempt);

        let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
        assert!(token.as_str().chars().all(is_legal) && token.as_str().len() <= 64, "{token}");
        assert_eq!(ClientToken::parse_attempt(token.as_str()), Some((child, attempt)));
    }

    #[test]
    fn a_child_has_one_text_and_sorts_after_its_array() {
        let array = JobId::derive(&"q".parse().unwrap(), "t");
        let child = array.child(17);

        assert_eq!(child.to_string(), format!("{array}:17"));
        assert_eq!(child.to_string().parse(), Ok(child));
        assert!(array < array.child(0) && array.child(9) < child);
        assert_eq!((child.whole(), child.index()), (array, Some(17)));
        for wrong in ["", "01", "+1", "-1", "x", "1000000000"] {
            assert!(format!("{array}:{wrong}").parse::<JobId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_node_is_written_as_batch_writes_it_and_is_no_child_of_an_array() {
        let job = JobId::derive(&"q".parse().unwrap(), "t");
        let node = job.node(17);
        let token = ClientToken::of_attempt(node, AttemptOrd::FIRST);

        assert_eq!(node.to_string(), format!("{job}#17"));
        assert_eq!(node.to_string().parse(), Ok(node));
        assert_eq!((node.whole(), node.index(), node.node_index()), (job, None, Some(17)));
        assert_eq!(job.child(ARRAY_INDEX_MAX).node_index(), None);
        assert_eq!(ClientToken::parse_attempt(token.as_str()), Some((node, AttemptOrd::FIRST)));
        assert!(job < job.node(0) && job.child(ARRAY_INDEX_MAX) < job.node(0));
        for wrong in ["", "01", "x", "1:2"] {
            assert!(format!("{job}#{wrong}").parse::<JobId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_follow_the_rules_of_aws_batch() {
        assert!("align_7-b".parse::<JobName>().is_ok());
        assert!("-x".parse::<JobName>().is_err());
        assert!("".parse::<JobName>().is_err());
        assert!("a".repeat(129).parse::<JobName>().is_err());
        assert!("i-0123456789abcdef0".parse::<InstanceId>().is_ok());
        assert!("i-xyz".parse::<InstanceId>().is_err());
    }
}
