//! The postings of all hosts, summed by whatever rows are asked for. No more than a page of jobs is in memory.

mod alone;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use spillway_core::error::LedgerError;
use spillway_core::port::JobFilter;
use spillway_core::{Catalog, Host, HostId, Job};
use spillway_engine::costs::{self, Held, Posting};

use self::alone::Machines;
use crate::ledger::Reader;
use crate::pick;
use crate::views::cost::{CostRow, CostView};

/// What rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Days, UTC.
    Day,
    /// Months, UTC.
    Month,
    /// Job queues.
    Queue,
    /// Shares of queues.
    Share,
    /// Names of jobs.
    Name,
    /// Job definitions, by name.
    Definition,
    /// Values of a tag.
    Tag(String),
    /// Instance types.
    Type,
    /// On-Demand and Spot.
    Market,
    /// Availability zones.
    Zone,
    /// Hosts, by EC2's id.
    Host,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day => f.write_str("day"),
            Self::Month => f.write_str("month"),
            Self::Queue => f.write_str("queue"),
            Self::Share => f.write_str("share"),
            Self::Name => f.write_str("name"),
            Self::Definition => f.write_str("definition"),
            Self::Tag(key) => write!(f, "tag:{key}"),
            Self::Type => f.write_str("type"),
            Self::Market => f.write_str("market"),
            Self::Zone => f.write_str("zone"),
            Self::Host => f.write_str("host"),
        }
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(key) = text.strip_prefix("tag:").filter(|key| !key.is_empty()) {
            return Ok(Self::Tag(key.to_owned()));
        }
        let plain = [
            Self::Day,
            Self::Month,
            Self::Queue,
            Self::Share,
            Self::Name,
            Self::Definition,
            Self::Type,
            Self::Market,
            Self::Zone,
            Self::Host,
        ];
        plain.into_iter().find(|by| by.to_string() == text).ok_or_else(|| {
            "rows are day, month, queue, share, name, definition, tag:KEY, type, market, zone or host"
                .to_owned()
        })
    }
}

impl By {
    /// The row of a job, where it has one of its own.
    fn of_job(&self, job: &Job) -> Option<String> {
        let spec = &job.spec;
        match self {
            Self::Queue => Some(spec.queue.to_string()),
            Self::Share => Some(spec.share().to_string()),
            Self::Name => Some(spec.name.to_string()),
            Self::Definition => spec.definition.as_ref().map(ToString::to_string),
            Self::Tag(key) => spec.tags.get(key).cloned(),
            Self::Day | Self::Month | Self::Type | Self::Market | Self::Zone | Self::Host => None,
        }
    }

    /// The row of what came up on a host at a time.
    fn of_host(&self, host: &Host, at: Timestamp) -> Option<String> {
        match self {
            Self::Day => Some(day(at).to_string()),
            Self::Month => Some(day(at).strftime("%Y-%m").to_string()),
            Self::Type => Some(host.pool.instance_type.clone()),
            Self::Market => Some(host.pool.market.to_string()),
            Self::Zone => Some(host.pool.zone.to_string()),
            Self::Host => host.instance().map(|instance| instance.id.to_string()),
            Self::Queue | Self::Share | Self::Name | Self::Definition | Self::Tag(_) => None,
        }
    }

    const fn is_time(&self) -> bool {
        matches!(self, Self::Day | Self::Month)
    }
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// From when to when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

/// What is in the ledger.
pub(crate) struct Books<'a> {
    by: &'a [By],
    now: Timestamp,
    hosts: Vec<Host>,
    held: HashMap<HostId, Vec<Held<usize>>>,
    /// What jobs would have cost on a machine each, if that is asked.
    alone: Option<HashMap<HostId, Vec<Posting<usize>>>>,
    n_too_large: usize,
    owners: Owners,
}

/// Jobs of one row in all that is asked for are one owner: a million jobs have few.
#[derive(Default)]
struct Owners {
    numbers: HashMap<Vec<Option<String>>, usize>,
    keys: Vec<Vec<Option<String>>>,
}

impl Owners {
    fn number(&mut self, key: Vec<Option<String>>) -> usize {
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = self.keys.len();
        self.numbers.insert(key.clone(), number);
        self.keys.push(key);
        number
    }
}

impl<'a> Books<'a> {
    /// Reads all hosts and all jobs.
    pub(crate) fn read(reader: &Reader, by: &'a [By], now: Timestamp) -> Result<Self, LedgerError> {
        Self::read_with(reader, by, now, None, |_| {})
    }

    /// The same, beside what jobs would have cost on a machine each, at these prices.
    pub(crate) fn read_beside(
        reader: &Reader,
        by: &'a [By],
        now: Timestamp,
        prices: Catalog,
    ) -> Result<Self, LedgerError> {
        Self::read_with(reader, by, now, Some(prices), |_| {})
    }

    /// The same, and shows every job, array, child and node with a record to `look` as it passes.
    pub(crate) fn read_with(
        reader: &Reader,
        by: &'a [By],
        now: Timestamp,
        prices: Option<Catalog>,
        mut look: impl FnMut(&Job),
    ) -> Result<Self, LedgerError> {
        let hosts = reader.hosts(true)?;
        let machines = prices.map(|prices| Machines::new(prices, &hosts));
        let mut alone: HashMap<HostId, Vec<Posting<usize>>> = HashMap::new();
        let mut n_too_large = 0;
        let by_id: HashMap<HostId, &Host> = hosts.iter().map(|host| (host.id, host)).collect();
        let mut held: HashMap<HostId, Vec<Held<usize>>> = HashMap::new();
        let mut owners = Owners::default();
        let (mut arrays, mut gangs) = (Vec::new(), Vec::new());
        let mut take = |job: Job| {
            look(&job);
            let owner = owners.number(by.iter().map(|by| by.of_job(&job)).collect());
            let places = costs::held(&job, |id| by_id.get(&id).copied(), now, owner);
            for (host, place) in places {
                held.entry(host).or_default().push(place);
            }
            for posting in machines.iter().flat_map(|m| m.postings(&job, now, owner)) {
                match posting {
                    Some((host, posting)) => alone.entry(host).or_default().push(posting),
                    None => n_too_large += 1,
                }
            }
        };
        pick::each(reader, &JobFilter::default(), |job| {
            if job.spec.array.is_some() {
                arrays.push(job.id);
            }
            if job.spec.gang.is_some() {
                gangs.push(job.id);
            }
            take(job);
        })?;
        for whole in arrays.into_iter().chain(gangs) {
            let parts = JobFilter { array: Some(whole), ..JobFilter::default() };
            pick::each(reader, &parts, |part| {
                // The main node is the job itself.
                if part.id != whole {
                    take(part);
                }
            })?;
        }
        let alone = machines.is_some().then_some(alone);
        Ok(Self { by, now, hosts, held, alone, n_too_large, owners })
    }

    /// The rows.
    pub(crate) fn view(&self, window: Window) -> CostView {
        let mut rows: BTreeMap<Vec<Option<String>>, CostRow> = BTreeMap::new();
        for host in &self.hosts {
            let held = self.held.get(&host.id).map_or(&[][..], Vec::as_slice);
            for posting in costs::postings(host, held, self.now) {
                for piece in self.pieces(&posting, window) {
                    rows.entry(self.key(host, &piece)).or_default().add(&piece);
                }
            }
            for posting in self.alone.iter().filter_map(|alone| alone.get(&host.id)).flatten() {
                for piece in self.pieces(posting, window) {
                    rows.entry(self.key(host, &piece)).or_default().add_alone(piece.cost);
                }
            }
        }
        let names = self.by.iter().map(ToString::to_string).collect();
        let view = CostView::new(self.now, names, rows, self.alone.is_some());
        view.with_too_large(self.n_too_large)
    }

    /// All hosts.
    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Gives all postings within the window to `each`, in pieces cut at these times, which are in order, with the host of each
    /// and the keys of who pays.
    pub(crate) fn each_piece(
        &self,
        window: Window,
        cuts: &[Timestamp],
        mut each: impl FnMut(&Host, Option<&[Option<String>]>, &Posting<usize>),
    ) {
        for host in &self.hosts {
            let held = self.held.get(&host.id).map_or(&[][..], Vec::as_slice);
            for posting in costs::postings(host, held, self.now) {
                let keys = posting.owner.and_then(|number| self.owners.keys.get(number));
                let from = cuts.partition_point(|cut| *cut <= posting.from);
                let until = cuts.partition_point(|cut| *cut < posting.until);
                let inside = cuts.get(from..until).unwrap_or_default().iter().copied();
                for piece in posting.cut_at(inside) {
                    if window.since <= piece.from && piece.from < window.until {
                        each(host, keys.map(Vec::as_slice), &piece);
                    }
                }
            }
        }
    }

    /// The parts of it that are within the window, one for each row of time.
    fn pieces(&self, posting: &Posting<usize>, window: Window) -> Vec<Posting<usize>> {
        let is_by_time = self.by.iter().any(By::is_time);
        let mut cuts = vec![window.since, window.until];
        if is_by_time {
            cuts.extend(midnights(posting.from, posting.until));
        }
        cuts.sort_unstable();
        let pieces = posting.cut_at(cuts);
        let is_inside =
            |piece: &Posting<usize>| window.since <= piece.from && piece.from < window.until;
        pieces.into_iter().filter(is_inside).collect()
    }

    fn key(&self, host: &Host, piece: &Posting<usize>) -> Vec<Option<String>> {
        let owner = piece.owner.and_then(|number| self.owners.keys.get(number));
        let of = |(n, by): (usize, &By)| {
            by.of_host(host, piece.from).or_else(|| owner?.get(n).cloned().flatten())
        };
        self.by.iter().enumerate().map(of).collect()
    }
}

/// All midnights between two times.
fn midnights(from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let mut midnights = Vec::new();
    let mut date = day(from);
    while let Ok(next) = date.checked_add(1.day()) {
        let Ok(at) = next.to_zoned(TimeZone::UTC) else { break };
        if until <= at.timestamp() {
            break;
        }
        midnights.push(at.timestamp());
        date = next;
    }
    midnights
}
