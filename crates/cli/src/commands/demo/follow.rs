//! Follows a world and its ledger, and tells what happens in it: what is bought, what is taken back, how many jobs wait
//! and run, and what an hour of it costs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use spillway_core::host::{DrainCause, HostStatus};
use spillway_core::job::JobStatus;
use spillway_core::port::JobFilter;
use spillway_core::{Host, HostId, HostState, Job, Market, MicroUsd, MicroUsdPerHour};

use crate::ledger::Reader;
use crate::output::Progress;
use crate::views::span_text;
use crate::world::World;

/// More jobs than any demo has.
const JOBS_MAX: usize = 1_000_000;

/// Off a terminal, how often it is told where all stands, in real time.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Every job has ended and every machine is gone.
    AllOver,
    /// The time that the scenario allows has passed.
    TimeUp,
    /// Ctrl-C.
    Interrupted,
}

/// All jobs there are.
pub(super) fn all_jobs(reader: &Reader) -> Result<Vec<Job>> {
    Ok(reader.jobs(&JobFilter { limit: JOBS_MAX, ..JobFilter::default() })?)
}

/// Tells what goes on.
pub(super) struct Follower {
    world: World,
    began_at: Timestamp,
    progress: Progress,
    is_live: bool,
    told_at: Option<Instant>,
    news: News,
}

impl Follower {
    pub(super) fn new(world: World, progress: Progress, is_live: bool) -> Self {
        let began_at = world.look(|cloud, _| cloud.started_at());
        Self { world, began_at, progress, is_live, told_at: None, news: News::default() }
    }

    /// Looks once. Some end if it is over.
    pub(super) fn look(&mut self, reader: &Reader, is_fed: bool) -> Result<Option<End>> {
        let counts = reader.job_counts()?;
        let hosts = reader.hosts(true)?;
        let (now, n_messages, n_alive, cost) = self.world.look(|cloud, now| {
            let cost = cloud.ec2().instances().map(|instance| instance.bill(now)).sum();
            (now, cloud.job_queue().len(), cloud.ec2().alive().count(), cost)
        });
        let since = span_text(now.duration_since(self.began_at));
        for line in self.news.of(&hosts) {
            self.progress.say(&format!("{since:>7}  {line}"));
        }
        let stand = Stand::of(&counts, &hosts, cost);
        let is_due = self.told_at.is_none_or(|at| TOLD_EVERY <= at.elapsed());
        if self.is_live || is_due {
            self.told_at = Some(Instant::now());
            self.progress.set(&format!("{since:>7}  {}", stand.text()));
        }
        let is_over =
            is_fed && n_messages == 0 && stand.n_open() == 0 && stand.n_hosts == 0 && n_alive == 0;
        if is_over {
            return Ok(Some(End::AllOver));
        }
        Ok((self.world.gives_up_at() < now).then_some(End::TimeUp))
    }
}

/// Where all stands at one moment.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stand {
    n_queued: u64,
    n_starting: u64,
    n_running: u64,
    n_ended: u64,
    n_hosts: usize,
    n_booting: usize,
    price: MicroUsdPerHour,
    cost: MicroUsd,
}

impl Stand {
    fn of(counts: &[(JobStatus, u64)], hosts: &[Host], cost: MicroUsd) -> Self {
        let mut stand = Self { cost, ..Self::default() };
        for (status, count) in counts {
            let place = match status {
                JobStatus::Submitted | JobStatus::Pending | JobStatus::Runnable => {
                    &mut stand.n_queued
                }
                JobStatus::Starting => &mut stand.n_starting,
                JobStatus::Running => &mut stand.n_running,
                JobStatus::Succeeded | JobStatus::Failed => &mut stand.n_ended,
            };
            *place += count;
        }
        let open = || hosts.iter().filter(|host| host.status() != HostStatus::Gone);
        let booting =
            |host: &&Host| matches!(host.status(), HostStatus::Requested | HostStatus::Launched);
        stand.n_hosts = open().count();
        stand.n_booting = open().filter(booting).count();
        stand.price = open().filter(|h| h.instance().is_some()).map(|h| h.price).sum();
        stand
    }

    const fn n_open(&self) -> u64 {
        self.n_queued + self.n_starting + self.n_running
    }

    fn text(&self) -> String {
        // The most telling first: a narrow terminal cuts the end off.
        format!(
            "{} machines, {} booting, {} | jobs: {} queued, {} starting, {} running, {} ended | {}",
            self.n_hosts,
            self.n_booting,
            self.price,
            self.n_queued,
            self.n_starting,
            self.n_running,
            self.n_ended,
            self.cost
        )
    }
}

/// What is new about machines since the last look.
#[derive(Debug, Default)]
struct News {
    bought: BTreeSet<HostId>,
    refused: BTreeSet<HostId>,
    interrupted: BTreeSet<HostId>,
    given_back: BTreeSet<HostId>,
}

impl News {
    /// A line for each kind of thing that has not been told yet.
    fn of(&mut self, hosts: &[Host]) -> Vec<String> {
        let [mut bought, mut refused, mut interrupted, mut given_back] =
            [const { Group::new() }; 4];
        for host in hosts {
            if host.instance().is_some() && self.bought.insert(host.id) {
                bought.add(host);
            }
            let Some(cause) = ending(host) else { continue };
            let is_gone = host.status() == HostStatus::Gone;
            match cause {
                DrainCause::NoCapacity if self.refused.insert(host.id) => refused.add(host),
                DrainCause::SpotInterruption if self.interrupted.insert(host.id) => {
                    interrupted.add(host);
                }
                DrainCause::Idle if is_gone && self.given_back.insert(host.id) => {
                    given_back.add(host);
                }
                DrainCause::Idle
                | DrainCause::NoCapacity
                | DrainCause::SpotInterruption
                | DrainCause::NeverRegistered
                | DrainCause::AgentLost
                | DrainCause::Stray
                | DrainCause::External
                | DrainCause::Unfit
                | DrainCause::Requested => {}
            }
        }
        let told = [
            bought.text().map(|what| format!("bought {what} for {}", bought.price())),
            refused.text().map(|what| format!("no capacity for {what}: planned anew without it")),
            interrupted.text().map(|what| format!("EC2 takes {what} back: the jobs run elsewhere")),
            given_back.text().map(|what| format!("gave back {what}")),
        ];
        told.into_iter().flatten().collect()
    }
}

/// Machines that something happened to, by type and market.
struct Group(BTreeMap<(String, Market), (u32, MicroUsdPerHour)>);

impl Group {
    const fn new() -> Self {
        Self(BTreeMap::new())
    }

    fn add(&mut self, host: &Host) {
        let key = (host.pool.instance_type.clone(), host.pool.market);
        let (n, price) = self.0.entry(key).or_default();
        *n += 1;
        *price = price.saturating_add(host.price);
    }

    fn price(&self) -> MicroUsdPerHour {
        self.0.values().map(|(_, price)| *price).sum()
    }

    /// `2 x c7g.large spot, 1 x m6a.xlarge on-demand`; none if there are none.
    fn text(&self) -> Option<String> {
        let kinds = self.0.iter();
        let texts: Vec<String> =
            kinds.map(|((kind, market), (n, _))| format!("{n} x {kind} {market}")).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }
}

/// Why a host is on its way out.
const fn ending(host: &Host) -> Option<DrainCause> {
    match &host.state {
        HostState::Draining { cause, .. }
        | HostState::Terminating { cause, .. }
        | HostState::Gone { cause, .. } => Some(*cause),
        HostState::Requested
        | HostState::Launched { .. }
        | HostState::Registered { .. }
        | HostState::Lost { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use spillway_core::host::Instance;
    use spillway_core::{Arch, LaunchId, PoolId, Resources};

    use super::*;

    fn host(ord: u32, state: HostState) -> Host {
        let launch = LaunchId::from_uuid(uuid::Uuid::nil());
        Host {
            id: HostId::derive(launch, ord),
            launch: Some(launch),
            pool: PoolId {
                instance_type: "c7g.large".into(),
                zone: "us-east-1a".parse().unwrap(),
                market: Market::Spot,
            },
            arch: Arch::Arm64,
            gpu: None,
            price: MicroUsdPerHour::new(30_000),
            extras: MicroUsdPerHour::ZERO,
            capacity: Resources::ZERO,
            hazard: spillway_core::Hazard::NEVER,
            reserved: Vec::new(),
            on_demand_price: None,
            registered_at: None,
            drained_at: None,
            state,
        }
    }

    fn instance(ord: u32) -> Instance {
        let id = format!("i-{ord:017x}").parse().unwrap();
        Instance { id, launched_at: Timestamp::UNIX_EPOCH }
    }

    fn launched(ord: u32) -> Host {
        host(ord, HostState::Launched { instance: instance(ord) })
    }

    #[test]
    fn equal_machines_share_a_line_and_nothing_is_told_twice() {
        let mut news = News::default();
        let hosts = [launched(0), launched(1), host(2, HostState::Requested)];

        let first = news.of(&hosts);
        let second = news.of(&hosts);

        assert_eq!(first.len(), 1);
        assert_eq!(first[0], "bought 2 x c7g.large spot for $0.06/h");
        assert!(second.is_empty(), "{second:?}");
    }

    #[test]
    fn what_is_over_is_told_with_its_reason() {
        let gone = |ord, cause| {
            let at = Timestamp::UNIX_EPOCH;
            let bill = MicroUsd::new(10_000);
            host(ord, HostState::Gone { instance: Some(instance(ord)), at, cause, bill })
        };
        let mut news = News::default();
        news.of(&[launched(0), launched(1)]);

        let lines = news.of(&[gone(0, DrainCause::Idle), gone(1, DrainCause::SpotInterruption)]);

        let told = [
            "EC2 takes 1 x c7g.large spot back: the jobs run elsewhere",
            "gave back 1 x c7g.large spot",
        ];
        assert_eq!(lines, told);
    }

    #[test]
    fn only_what_is_paid_for_counts_in_the_price() {
        let counts = [(JobStatus::Runnable, 3), (JobStatus::Running, 2), (JobStatus::Failed, 1)];
        let hosts = [launched(0), host(1, HostState::Requested)];

        let stand = Stand::of(&counts, &hosts, MicroUsd::ZERO);

        assert_eq!((stand.n_open(), stand.n_ended), (5, 1));
        assert_eq!((stand.n_hosts, stand.n_booting), (2, 2));
        assert_eq!(stand.price, MicroUsdPerHour::new(30_000));
    }
}
