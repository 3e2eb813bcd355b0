//! Machines as people and scripts see them.

use jiff::Timestamp;
use serde::Serialize;
use spillway_core::host::HostStatus;
use spillway_core::{Host, HostId, Market, MicroUsd, MicroUsdPerHour};

use super::job::ResourcesView;
use super::{span_text, usd};
use crate::output::{Field, Lines, Page, Rows, Tone, View};

/// A host in a list.
#[derive(Debug, Serialize)]
pub struct HostRow {
    /// Spillway's id of it.
    pub id: HostId,
    /// EC2's id, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Its type.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// Its market.
    pub market: Market,
    /// Where it stands.
    pub status: HostStatus,
    /// What tasks can use on it.
    pub capacity: ResourcesView,
    /// How many jobs are on it.
    pub n_jobs: usize,
    /// What it costs per hour.
    pub price_usd_per_hour: f64,
    /// What it has cost so far.
    pub cost_usd: f64,
    /// When EC2 launched it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launched_at: Option<Timestamp>,
    #[serde(skip)]
    price: MicroUsdPerHour,
    #[serde(skip)]
    cost: MicroUsd,
    #[serde(skip)]
    room: String,
}

impl HostRow {
    /// A host with its number of jobs, at `now`.
    pub fn new(host: &Host, n_jobs: usize, now: Timestamp) -> Self {
        let cost = host.bill(now);
        Self {
            id: host.id,
            instance_id: host.instance().map(|i| i.id.to_string()),
            instance_type: host.pool.instance_type.clone(),
            zone: host.pool.zone.to_string(),
            market: host.pool.market,
            status: host.status(),
            capacity: (&host.capacity).into(),
            n_jobs,
            price_usd_per_hour: host.price.as_usd_f64(),
            cost_usd: usd(cost),
            launched_at: host.instance().map(|i| i.launched_at),
            price: host.price,
            cost,
            room: host.capacity.to_string(),
        }
    }
}

pub(crate) const fn tone(status: HostStatus) -> Tone {
    match status {
        HostStatus::Requested | HostStatus::Launched => Tone::Busy,
        HostStatus::Registered => Tone::Good,
        HostStatus::Draining | HostStatus::Terminating => Tone::Warning,
        HostStatus::Lost => Tone::Bad,
        HostStatus::Gone => Tone::Plain,
    }
}

/// The answer of `hosts list`.
#[derive(Debug, Serialize)]
pub struct HostList {
    /// The hosts.
    pub hosts: Vec<HostRow>,
    /// What those that are not gone cost per hour together.
    pub price_usd_per_hour: f64,
    /// What all in the list have cost so far.
    pub cost_usd: f64,
    #[serde(skip)]
    summary: String,
    #[serde(skip)]
    now: Timestamp,
}

impl HostList {
    /// The list at `now`.
    pub fn new(hosts: Vec<HostRow>, now: Timestamp) -> Self {
        let paid = hosts.iter().filter(|h| h.status != HostStatus::Gone);
        let price: MicroUsdPerHour = paid.clone().map(|h| h.price).sum();
        let cost: MicroUsd = hosts.iter().map(|h| h.cost).sum();
        let summary = format!("{} hosts at {price}, {cost} so far", paid.count());
        Self { price_usd_per_hour: price.as_usd_f64(), cost_usd: usd(cost), hosts, summary, now }
    }

    /// One line about all of them.
    pub fn summary(&self) -> &str {
        &self.summary
    }
}

impl View for HostList {
    fn page(&self, page: &mut Page) {
        let header = [
            "INSTANCE", "TYPE", "ZONE", "MARKET", "STATUS", "ROOM", "JOBS", "PRICE", "AGE", "COST",
        ];
        let mut table = Rows::new(&header);
        for host in &self.hosts {
            let age = host.launched_at.map(|at| span_text(self.now.duration_since(at)));
            table.row([
                host.instance_id.as_deref().unwrap_or("-").into(),
                host.instance_type.as_str().into(),
                host.zone.as_str().into(),
                host.market.to_string().into(),
                Field::toned(host.status.to_string(), tone(host.status)),
                host.room.as_str().into(),
                host.n_jobs.to_string().into(),
                host.price.to_string().into(),
                age.unwrap_or_else(|| "-".to_owned()).into(),
                host.cost.to_string().into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.hosts.iter().try_for_each(|host| lines.item(host))
    }
}
