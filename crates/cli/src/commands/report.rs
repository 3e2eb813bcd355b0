//! `spillway report`: one page about a time, a queue or a simulated run. Reads the ledger; writes one file.

mod gather;
mod jobs;
mod series;
mod waits;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use spillway_core::QueueName;

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::files;
use crate::ledger::{self, Reader};
use crate::output::{Format, Page, View};
use crate::pick::Moment;
use crate::views::report::{ReportView, html};

pub(crate) const LONG_ABOUT: &str = "\
Writes one HTML file about a time: the fleet, the queue, what was paid and what for, how long jobs waited, how full hosts were, \
and what was interrupted, as pictures with their numbers beneath. The file needs no network and no script; it can be mailed, \
kept, and read on a phone, by day and by night.

Without --since, --until and --day it is about all that the ledger holds. With --queue the jobs, their waits and what they cost \
are the queue's; hosts are everybody's. The costs are those of `spillway cost`. --format json prints the numbers of the page and \
writes no file. A simulated run leaves a ledger for it (`spillway simulate --ledger FILE`), or its page at once (`--report FILE`).

Examples:
  spillway report
  spillway report --day 2026-01-31 --output january.html
  spillway report --since 24h --queue nightly
  spillway report --ledger run.db --format json | jq .kinds
  spillway report --output - | gzip > report.html.gz";

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// From when: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Until when
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// A day, UTC: 2026-01-31
    #[arg(long, value_name = "DATE", conflicts_with_all = ["since", "until"])]
    pub day: Option<Date>,
    /// Only the jobs of this queue
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<QueueName>,
    /// Where to; `-` is standard output
    #[arg(long, short, value_name = "FILE", default_value = "spillway-report.html")]
    pub output: PathBuf,
}

/// From when until when; what is not said follows from the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Asked {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Asked {
    fn of(args: &ReportArgs, now: Timestamp) -> Result<Self, Complaint> {
        let at = |moment: Option<Moment>| moment.map(|moment| moment.at(now));
        let asked = match args.day {
            None => Self { since: at(args.since), until: at(args.until) },
            Some(day) => {
                let bad = || Complaint::usage(format!("{day} has no beginning or no end"));
                let midnight = |day: Date| day.to_zoned(TimeZone::UTC).map_err(|_| bad());
                let next = day.checked_add(1.day()).map_err(|_| bad())?;
                let (since, until) = (midnight(day)?.timestamp(), midnight(next)?.timestamp());
                Self { since: Some(since), until: Some(until) }
            }
        };
        match asked {
            Self { since: Some(since), .. } if now <= since => {
                Err(Complaint::usage(format!("{since} has not come yet"))
                    .hint("give a --since or a --day before now"))
            }
            Self { since: Some(since), until: Some(until) } if until <= since => {
                Err(Complaint::usage("--until is no later than --since"))
            }
            Self { .. } => Ok(asked),
        }
    }
}

/// JSON, or nothing on the page that people get: their page is a file.
impl View for ReportView {
    fn page(&self, page: &mut Page) {
        page.line(html::page(self).trim_end());
    }
}

/// Writes it.
pub fn run(args: &ReportArgs, context: &Context) -> Result<ExitStatus> {
    let now = Timestamp::now();
    let asked = Asked::of(args, now)?;
    let config = context.config()?;
    let reader = ledger::reader(config)?;
    if let Some(queue) = args.queue.as_ref().filter(|queue| !config.queues.contains(queue))
        && reader.queue_counts()?.keys().all(|(of, _)| of != queue)
    {
        return Err(Complaint::usage(format!("there is no queue {queue}, and no job of it"))
            .hint("`spillway queues list` shows them")
            .into());
    }
    let view = gather::view(
        reader.as_ref(),
        &gather::Request {
            source: config.ledger.to_string(),
            since: asked.since,
            until: asked.until,
            queue: args.queue.clone(),
            now,
        },
    )?;
    if context.output.format() != Format::Human || args.output == Path::new("-") {
        context.output.show(&view)?;
        return Ok(ExitStatus::Ok);
    }
    files::write(&args.output, &html::page(&view))?;
    context.output.note(&format!("the report is in {}", args.output.display()));
    Ok(ExitStatus::Ok)
}

/// Writes the page of a run that is over at `now`.
pub(crate) fn write_run(
    reader: &Reader,
    source: String,
    now: Timestamp,
    file: &Path,
) -> Result<()> {
    let request = gather::Request { source, since: None, until: None, queue: None, now };
    Ok(files::write(file, &html::page(&gather::view(reader, &request)?))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(since: &str, until: &str, day: Option<&str>) -> ReportArgs {
        let moment = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        ReportArgs {
            since: moment(since),
            until: moment(until),
            day: day.map(|day| day.parse().unwrap()),
            queue: None,
            output: PathBuf::from("r.html"),
        }
    }

    #[test]
    fn a_day_is_from_midnight_to_midnight_and_one_to_come_is_refused() {
        let now = "2026-01-31T18:00:00Z".parse().unwrap();
        let asked = |args: ReportArgs| Asked::of(&args, now).map(|a| (a.since.unwrap(), a.until));

        let (since, until) = asked(args("", "", Some("2026-01-31"))).unwrap();
        assert_eq!(since.to_string(), "2026-01-31T00:00:00Z");
        assert_eq!(until.unwrap().to_string(), "2026-02-01T00:00:00Z");
        assert_eq!(asked(args("2h", "", None)).unwrap().0.to_string(), "2026-01-31T16:00:00Z");
        assert!(asked(args("", "", Some("2026-02-01"))).is_err());
        assert!(asked(args("1h", "2h", None)).is_err());
    }
}
