//! The id of a job, of a child of an array, and of a node of a multi-node job.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use super::{IdError, NAMESPACE, QueueName};

/// A job, or one child of an array job. A producer knows it before it sends: see [`JobId::derive`].
///
/// Its text is AWS Batch's: a UUID, and for a child `<id of the array>:<index>`. An array sorts before its children, and they
/// by their indexes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobId {
    uuid: Uuid,
    /// The index and one, so that an id is as small as it can be: there are many.
    above_index: Option<NonZeroU32>,
}

/// The largest index of a child: nine digits keep an attempt's token within ECS's 64 characters.
pub const ARRAY_INDEX_MAX: u32 = 999_999_999;

/// Nodes of multi-node jobs are numbered from here, beyond every child of an array.
const NODES_FROM: u32 = 3_000_000_000;

/// As numbers: ids are compared more often than anything else, most of them within one array.
impl Ord for JobId {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_uuid = self.uuid.as_u128().cmp(&other.uuid.as_u128());
        by_uuid.then_with(|| self.above_index.cmp(&other.above_index))
    }
}

impl PartialOrd for JobId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({self})")
    }
}

impl JobId {
    /// The id with this value, of a job or an array.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self { uuid, above_index: None }
    }

    /// The id of the job that `token` names in `queue`: a UUIDv5, so that whoever knows both knows the id, and a
    /// repeated message is the same job. `token` is the client token, else the SQS message id.
    pub fn derive(queue: &QueueName, token: &str) -> Self {
        Self::from_uuid(Uuid::new_v5(&NAMESPACE, format!("job\n{queue}\n{token}").as_bytes()))
    }

    /// The child with this index of the array with this id.
    #[must_use]
    pub const fn child(self, index: u32) -> Self {
        Self { uuid: self.uuid, above_index: NonZeroU32::new(index.saturating_add(1)) }
    }

    /// The node with this index of the multi-node job with this id.
    #[must_use]
    pub const fn node(self, node: u32) -> Self {
        self.child(NODES_FROM.saturating_add(node))
    }

    /// The id of the array or of the multi-node job, for a child or a node; of the job itself otherwise.
    #[must_use]
    pub const fn whole(self) -> Self {
        Self { uuid: self.uuid, above_index: None }
    }

    /// The index, for a child of an array.
    pub const fn index(self) -> Option<u32> {
        match self.above_index {
            Some(above) if above.get() <= NODES_FROM => Some(above.get() - 1),
            Some(_) | None => None,
        }
    }

    /// The node's index, for a node of a multi-node job.
    pub const fn node_index(self) -> Option<u32> {
        match self.above_index {
            Some(above) if NODES_FROM < above.get() => Some(above.get() - 1 - NODES_FROM),
            Some(_) | None => None,
        }
    }

    /// Its UUID; a child has its array's, a node its job's.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.index(), self.node_index()) {
            (None, None) => fmt::Display::fmt(&self.uuid, f),
            (Some(index), _) => write!(f, "{}:{index}", self.uuid),
            (None, Some(node)) => write!(f, "{}#{node}", self.uuid),
        }
    }
}

impl FromStr for JobId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || {
            IdError::new(
                text,
                "a job id (a UUID, a UUID, ':' and an array index, or a UUID, '#' and a node's index)",
            )
        };
        let whole = |uuid| Uuid::parse_str(uuid).map(Self::from_uuid).map_err(|_| wrong());
        if let Some((uuid, node)) = text.split_once('#') {
            return Ok(whole(uuid)?.node(array_index(node).ok_or_else(wrong)?));
        }
        match text.split_once(':') {
            None => whole(text),
            Some((uuid, index)) => Ok(whole(uuid)?.child(array_index(index).ok_or_else(wrong)?)),
        }
    }
}

/// An array index has one spelling, so that one child has one id.
pub(super) fn array_index(text: &str) -> Option<u32> {
    let is_plain =
        text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|index| is_plain && *index <= ARRAY_INDEX_MAX)
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
