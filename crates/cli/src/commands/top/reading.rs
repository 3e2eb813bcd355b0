//! What `top` reads of the ledger, at one moment and no more of it than is shown.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;
use spillway_core::port::JobFilter;
use spillway_core::{Host, Job, Launch, LedgerState, QueueName};

use crate::ledger::Reader;

/// So many of each kind of events are read: more than anybody looks at.
pub(super) const EVENTS_MAX: usize = 100;

/// Hosts that are gone are news for so long.
const NEWS: SignedDuration = SignedDuration::from_hours(24);

/// What was read.
pub(super) struct Reading {
    pub(super) now: Timestamp,
    pub(super) midnight: Timestamp,
    pub(super) counts: BTreeMap<(QueueName, JobStatus), u64>,
    pub(super) state: LedgerState,
    /// Those that are not gone, and those that were not at midnight or a day ago.
    pub(super) hosts: Vec<Host>,
    pub(super) accepted: Vec<Job>,
    pub(super) ended: Vec<Job>,
    pub(super) launches: Vec<Launch>,
}

impl Reading {
    /// Reads it.
    pub(super) fn of(reader: &Reader, now: Timestamp) -> Result<Self, LedgerError> {
        let midnight = midnight_before(now);
        let day_ago = now.checked_sub(NEWS).unwrap_or(midnight);
        let newest = JobFilter { limit: EVENTS_MAX, ..JobFilter::default() };
        Ok(Self {
            now,
            midnight,
            counts: reader.queue_counts()?,
            state: reader.state()?,
            hosts: reader.hosts_since(midnight.min(day_ago))?,
            accepted: reader.jobs(&newest)?,
            ended: reader.last_ended(EVENTS_MAX)?,
            launches: reader.launches(EVENTS_MAX)?,
        })
    }
}

/// The last midnight, UTC, as `spillway cost` has its days.
fn midnight_before(now: Timestamp) -> Timestamp {
    let day = now.to_zoned(TimeZone::UTC).start_of_day();
    day.map_or(now, |start| start.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_utc() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();

        assert_eq!(midnight_before(at("2026-11-26T13:45:01Z")), at("2026-11-26T00:00:00Z"));
        assert_eq!(midnight_before(at("2026-11-26T00:00:00Z")), at("2026-11-26T00:00:00Z"));
    }
}
