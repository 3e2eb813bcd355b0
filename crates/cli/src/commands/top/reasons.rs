//! Why jobs wait, counted: what holds them back by the ledger, and of the others what the next plan makes of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use spillway_core::plan::GangVerdict;
use spillway_core::{HostId, Job, JobState, PlanInput, Planned, Planner};
use spillway_engine::Engine;
use spillway_planner::Spillway;

use crate::views::top::ReasonRow;
use crate::views::why::wait_code;
use crate::why;

/// The rows, most jobs first, and the plan that they come from where prices are known.
pub(super) fn reasons(
    engine: &Engine,
    now: Timestamp,
    has_prices: bool,
    (n_submitted, n_pending): (u64, u64),
) -> (Vec<ReasonRow>, Option<Planned>) {
    let mut tally = Tally::default();
    tally.add("not-looked-at", "the dispatcher has not looked at them yet", n_submitted);
    pending(&mut tally, engine, n_pending);
    let mut n_left = 0;
    for line in engine.in_line(now) {
        match &line.held_back {
            Some(why) => tally.add(why.code(), &why.to_string(), line.n_jobs),
            None => n_left += line.n_jobs,
        }
    }
    if !has_prices {
        tally.add(
            "in-line",
            "offered a place; what comes next is not known without prices",
            n_left,
        );
        return (tally.rows(), None);
    }
    let input = engine.plan_input(now);
    let planned = Spillway::default().plan(&input, &engine.plan_policy());
    of_plan(&mut tally, &input, &planned, n_left);
    (tally.rows(), Some(planned))
}

fn pending(tally: &mut Tally, engine: &Engine, n_pending: u64) {
    let mut n_left = n_pending;
    let is_counted = |job: &&Job| {
        matches!(job.state, JobState::Pending)
            && job.spec.array.is_none()
            && job.id.node_index().is_none()
    };
    for job in engine.jobs().filter(is_counted) {
        for (code, _) in why::pending(job, engine).into_iter().take(1) {
            tally.add(code, says(code), 1);
            n_left = n_left.saturating_sub(1);
        }
    }
    // Children have no record while they wait.
    tally.add("waits-for-job", says("waits-for-job"), n_left);
}

fn says(code: &str) -> &'static str {
    match code {
        "job-not-arrived" => "they wait for a job whose message has not arrived",
        "waits-for-job" => "they wait for other jobs to end",
        _ => "they wait for something other than a machine",
    }
}

/// Of `n_left` jobs that are offered a place, what the plan makes of them.
fn of_plan(tally: &mut Tally, input: &PlanInput, planned: &Planned, n_left: u64) {
    let is_ready: BTreeMap<HostId, bool> =
        input.hosts.iter().map(|host| (host.id, host.ready)).collect();
    let mut n_left = n_left;
    let mut take = |code: &str, says: &str, n: u64| {
        let n = n.min(n_left);
        n_left -= n;
        tally.add(code, says, n);
    };
    for placement in &planned.plan.placements {
        if is_ready.get(&placement.host).copied().unwrap_or(false) {
            take(
                "starts-next",
                "the next plan starts them on hosts there are",
                placement.count.into(),
            );
        } else {
            take("host-boots", "room is kept for them on hosts that boot", placement.count.into());
        }
    }
    for launch in &planned.plan.launches {
        let each: u64 = launch.contents.iter().map(|(_, n)| u64::from(*n)).sum();
        take("bought-next", "the next plan buys hosts for them", each * u64::from(launch.count));
    }
    for waiting in &planned.report.waiting {
        take(wait_code(&waiting.reason), &waiting.reason.to_string(), waiting.count.into());
    }
    for gang in &planned.plan.gangs {
        let (code, says) = match &gang.verdict {
            GangVerdict::Start => ("room", "there is room for all nodes".to_owned()),
            GangVerdict::Hold { .. } => {
                ("nodes-start-together", "room is kept until all nodes can start".to_owned())
            }
            GangVerdict::Wait { reason } => {
                ("no-room-for-all-nodes", format!("no room for all nodes at once: {reason}"))
            }
            GangVerdict::Paused => ("paused", "others have their turn first".to_owned()),
        };
        take(code, &says, 1);
    }
    let rest = n_left;
    tally.add("left-waiting", "the plan leaves them waiting", rest);
}

/// Jobs by code. Where a code's sentences differ, the one that most jobs have is told.
#[derive(Default)]
struct Tally(BTreeMap<String, BTreeMap<String, u64>>);

impl Tally {
    fn add(&mut self, code: &str, says: &str, n: u64) {
        if n != 0 {
            let texts = self.0.entry(code.to_owned()).or_default();
            *texts.entry(says.to_owned()).or_default() += n;
        }
    }

    fn rows(self) -> Vec<ReasonRow> {
        let row = |(code, texts): (String, BTreeMap<String, u64>)| {
            let jobs = texts.values().sum();
            let n_others = texts.len().saturating_sub(1);
            let first = texts.into_iter().max_by_key(|(_, n)| *n).map(|(text, _)| text);
            let mut reason = first.unwrap_or_default();
            if 0 < n_others {
                reason = format!("{reason} (and {n_others} other texts)");
            }
            ReasonRow { code, reason, jobs }
        };
        let mut rows: Vec<ReasonRow> = self.0.into_iter().map(row).collect();
        rows.sort_by(|a, b| (b.jobs, &a.code).cmp(&(a.jobs, &b.code)));
        rows
    }
}
