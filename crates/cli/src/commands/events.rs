//! `spillway events`: what has happened, from the ledger's audit record. Reads only; works with the dispatcher up or down.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use spillway_core::error::LedgerError;
use spillway_core::port::LedgerReader as _;
use spillway_core::{AuditEvent, AuditFilter, AuditKind, JobId, QueueName};

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::output::Format;
use crate::pick::Moment;
use crate::views::event::EventList;

pub(crate) const LONG_ABOUT: &str = "\
Prints what has happened, one line each, in the order in which it was committed to the ledger: jobs and where they stand, attempts \
and their hosts, what was bought and at what price, hosts from their launch to their bill, the orders that came and who sent them, \
what was refused and why, and breakers.

Without --after and --before it prints the last (--limit) that meet the conditions. Every event has a number (`n` in JSON): with \
--after it goes on behind one, so that a reader that keeps the last number it has seen misses nothing and reads nothing twice; \
with --before it goes back. However long the record is, no more of it is read into memory than is printed.

With --follow it prints what comes: until it is interrupted, and with --job until the job has ended.

Examples:
  spillway events
  spillway events --since 1h --kind launch,host
  spillway events --job 3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11 --follow
  spillway events --kind order,message-refused --format jsonl | jq -r .sender
  spillway events --after 8312 --limit 10000 --format jsonl >> audit.jsonl";

/// So many are read at a time while following.
const PAGE_EVENTS: usize = 1_000;

/// Between two looks. A ledger in a table is brought up to date for each.
const PAUSE: Duration = Duration::from_secs(2);

/// Flags of `events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Not before then: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Only before then
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    pub until: Option<Moment>,
    /// Only of this job; of an array its children's too
    #[arg(long, value_name = "ID")]
    pub job: Option<JobId>,
    /// Only of jobs of this queue
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<QueueName>,
    /// Only of these kinds: one, such as host-gone, or all that begin with a word, such as host
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = Kinds::read)]
    pub kind: Vec<Kinds>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Only behind this event: the first that came after it
    #[arg(long, value_name = "N")]
    pub after: Option<u64>,
    /// Only before this event
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    pub before: Option<u64>,
    /// Then print what comes
    #[arg(long, short)]
    pub follow: bool,
}

/// What a word for a kind means.
#[derive(Debug, Clone)]
pub struct Kinds(Vec<AuditKind>);

impl Kinds {
    fn read(text: &str) -> Result<Self, String> {
        let kinds = AuditKind::named(text);
        if kinds.is_empty() {
            let known: Vec<&str> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
            return Err(format!("it is one of {}, or the first word of some", known.join(", ")));
        }
        Ok(Self(kinds))
    }
}

impl EventsArgs {
    fn filter(&self, now: Timestamp) -> AuditFilter {
        AuditFilter {
            since: self.since.map(|moment| moment.at(now)),
            until: self.until.map(|moment| moment.at(now)),
            after: self.after,
            before: self.before,
            job: self.job,
            queue: self.queue.clone(),
            kinds: self.kind.iter().flat_map(|kinds| kinds.0.clone()).collect(),
            limit: self.limit,
        }
    }
}

/// Prints them.
pub async fn run(args: &EventsArgs, context: &Context) -> Result<ExitStatus> {
    let filter = args.filter(Timestamp::now());
    if !args.follow {
        let reader = ledger::audit_reader(context.config()?)?;
        if let Some(job) = args.job
            && reader.job(job)?.is_none()
        {
            return Err(Complaint::usage(format!("there is no job {job} in the ledger"))
                .hint(
                    "its message may still be in the queue; `spillway jobs list` shows what was accepted",
                )
                .into());
        }
        return show(&filter, |filter| reader.events(filter), context);
    }
    if context.output.format() == Format::Json {
        return Err(Complaint::usage("--follow has no end that one JSON document could have")
            .hint("--format jsonl prints a document for each event")
            .into());
    }
    tokio::select! {
        ended = follow(filter, context, PAUSE) => ended,
        _ = tokio::signal::ctrl_c() => Ok(ExitStatus::Interrupted),
    }
}

fn show(
    filter: &AuditFilter,
    read: impl Fn(&AuditFilter) -> Result<Vec<AuditEvent>, LedgerError>,
    context: &Context,
) -> Result<ExitStatus> {
    // One more than is shown, to know whether there is more.
    let limit = filter.limit.saturating_add(1);
    let mut events = read(&AuditFilter { limit, ..filter.clone() })?;
    let has_more = filter.limit < events.len();
    let is_forward = filter.after.is_some();
    if has_more && is_forward {
        events.truncate(filter.limit);
    } else if has_more {
        events.remove(0);
    }
    let before = events.first().filter(|_| has_more && !is_forward).map(|event| event.n);
    let after = events.last().map(|event| event.n).or(filter.after);
    let list = EventList {
        events: events.into_iter().map(Into::into).collect(),
        before,
        after,
        is_followed: false,
    };
    context.output.show(&list)?;
    if context.output.format() == Format::Human {
        let n = list.events.len();
        if let Some(before) = before {
            context.output.note(&format!("{n} shown; for older ones add --before {before}"));
        } else if let Some(after) = after.filter(|_| has_more) {
            context.output.note(&format!("{n} shown; for more add --after {after}"));
        } else if n == 0 {
            context.output.note("nothing such has happened");
        }
    }
    Ok(ExitStatus::Ok)
}

/// Prints what there is, then what comes: until the job has ended, if it is about one.
async fn follow(mut filter: AuditFilter, context: &Context, pause: Duration) -> Result<ExitStatus> {
    let config = context.config()?;
    loop {
        let reader = match ledger::audit_reader(config) {
            // The dispatcher has not been started yet.
            Err(LedgerError::Missing { .. }) => {
                tokio::time::sleep(pause).await;
                continue;
            }
            other => other?,
        };
        // Asked before the events are read: then all up to its end are among them.
        let is_over = match filter.job {
            Some(id) => reader.job(id)?.is_some_and(|job| job.state.status().is_terminal()),
            None => false,
        };
        loop {
            // Asked first: what comes between is behind it.
            let newest = newest(&reader)?;
            let events = reader.events(&filter)?;
            let is_first = filter.after.is_none();
            let shown = events.last().map(|event| event.n);
            filter.after = shown.or_else(|| filter.after.max(Some(newest)));
            let (n, limit) = (events.len(), filter.limit);
            filter.limit = PAGE_EVENTS;
            if 0 < n {
                let events = events.into_iter().map(Into::into).collect();
                let list =
                    EventList { events, before: None, after: filter.after, is_followed: true };
                context.output.show(&list)?;
            }
            if is_first || n < limit {
                break;
            }
        }
        if is_over {
            return Ok(ExitStatus::Ok);
        }
        tokio::time::sleep(pause).await;
    }
}

/// The number of the newest event; 0 if there is none.
fn newest(reader: &spillway_runtime::ledger::SqliteReader) -> Result<u64, LedgerError> {
    let last = reader.events(&AuditFilter { limit: 1, ..AuditFilter::default() })?;
    Ok(last.last().map_or(0, |event| event.n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_kind_or_all_that_begin_with_it() {
        assert_eq!(Kinds::read("host-gone").unwrap().0, [AuditKind::HostGone]);
        assert_eq!(Kinds::read("order").unwrap().0.len(), 8);
        assert!(Kinds::read("fuse").unwrap_err().contains("host-gone"));
    }
}
