//! A score for scripts and for people: what became of the jobs, how long they waited, and where the money went.

use serde::Serialize;
use spillway_core::{Market, MicroUsd};
use spillway_sim::Score;
use spillway_sim::score::{HostCount, JobCounts};

use super::calibration::CalibrationView;
use super::{span_text, usd};
use crate::output::{Field, Page, Rows, Tone};

/// How long jobs waited from being accepted to running, in seconds.
#[derive(Debug, Serialize)]
pub struct WaitsView {
    /// On average.
    pub mean_s: f64,
    /// Half waited no longer.
    pub p50_s: f64,
    /// 95 % waited no longer.
    pub p95_s: f64,
    /// Nobody waited longer.
    pub max_s: f64,
}

/// What the machines cost, and for what; the three parts sum to the total.
#[derive(Debug, Serialize)]
pub struct BillView {
    /// All that EC2 bills.
    pub total_usd: f64,
    /// The attempts' shares of their hosts.
    pub work_usd: f64,
    /// Registered, and not reserved by any attempt.
    pub idle_usd: f64,
    /// From launch to registration; all of a host that never registered.
    pub boot_usd: f64,
}

/// Machines of one type and market.
#[derive(Debug, Serialize)]
pub struct HostCountView {
    /// The instance type.
    pub instance_type: String,
    /// The market.
    pub market: Market,
    /// How many there ever were.
    pub count: u64,
    /// What they cost.
    pub cost_usd: f64,
}

/// A score, as scripts see it.
#[derive(Debug, Serialize)]
pub struct ScoreView {
    /// Jobs by state.
    pub jobs: JobCounts,
    /// From the beginning to the end of the last job that ended.
    pub makespan_s: f64,
    /// Waits of the jobs that ran.
    pub wait: WaitsView,
    /// The bill.
    pub bill: BillView,
    /// What the jobs would have cost on a fresh On-Demand machine each.
    pub on_demand_one_vm_per_job_usd: f64,
    /// Machines by type and market.
    pub hosts: Vec<HostCountView>,
    /// Calls that bought machines.
    pub n_launches: u64,
    /// How often a pool gave fewer machines than it was asked for.
    pub n_pool_refusals: u64,
    /// All attempts.
    pub n_attempts: u64,
    /// Attempts beyond each job's first.
    pub n_retries: u64,
    /// Machines that EC2 took back.
    pub n_interruptions: u64,
    /// Machines that died.
    pub n_host_deaths: u64,
    /// Messages on the dead-letter queue.
    pub n_dead_letters: u64,
    /// How often the dispatcher died.
    pub n_crashes: u64,
    /// How often a job had a second task while a first, declared lost, was still alive.
    pub n_doubled_tasks: u64,
    /// What was predicted against what came.
    pub calibration: CalibrationView,
}

impl From<&Score> for ScoreView {
    fn from(score: &Score) -> Self {
        let (wait, bill) = (&score.wait, &score.bill);
        let hosts = score.hosts.iter().map(|host| HostCountView {
            instance_type: host.instance_type.clone(),
            market: host.market,
            count: host.n,
            cost_usd: usd(host.cost),
        });
        Self {
            jobs: score.jobs,
            makespan_s: score.makespan.as_secs_f64(),
            wait: WaitsView {
                mean_s: wait.mean.as_secs_f64(),
                p50_s: wait.p50.as_secs_f64(),
                p95_s: wait.p95.as_secs_f64(),
                max_s: wait.max.as_secs_f64(),
            },
            bill: BillView {
                total_usd: usd(bill.total),
                work_usd: usd(bill.work),
                idle_usd: usd(bill.idle),
                boot_usd: usd(bill.boot),
            },
            on_demand_one_vm_per_job_usd: usd(score.on_demand_one_vm_per_job),
            hosts: hosts.collect(),
            n_launches: score.n_launches,
            n_pool_refusals: score.n_pool_refusals,
            n_attempts: score.n_attempts,
            n_retries: score.n_retries,
            n_interruptions: score.n_interruptions,
            n_host_deaths: score.n_host_deaths,
            n_dead_letters: score.n_dead_letters,
            n_crashes: score.n_crashes,
            n_doubled_tasks: score.n_doubled_tasks,
            calibration: (&score.calibration).into(),
        }
    }
}

/// For `serialize_with`: a score in the form for scripts.
pub(crate) fn as_view<S: serde::Serializer>(score: &Score, to: S) -> Result<S::Ok, S::Error> {
    ScoreView::from(score).serialize(to)
}

/// `part` of `whole` in percent; nothing of nothing is 0.
pub(crate) fn percent(part: MicroUsd, whole: MicroUsd) -> f64 {
    if whole == MicroUsd::ZERO { 0.0 } else { 100.0 * part.as_usd_f64() / whole.as_usd_f64() }
}

/// Adds what a score says, as fields.
pub(crate) fn score_fields(page: &mut Page, score: &Score) {
    let jobs = &score.jobs;
    let also = |n: u64, what: &str| if n == 0 { String::new() } else { format!(", {n} {what}") };
    let text = format!(
        "{}: {} succeeded, {} failed{}{}",
        jobs.total,
        jobs.succeeded,
        jobs.failed,
        also(jobs.open, "not ended"),
        also(score.n_dead_letters, "on the dead-letter queue")
    );
    page.field("Jobs", text);
    page.field("Attempts", format!("{}, {} of them retries", score.n_attempts, score.n_retries));
    page.field("Makespan", span_text(score.makespan));
    let wait = &score.wait;
    page.field(
        "Wait",
        format!(
            "mean {}, median {}, 95 % {}, longest {}",
            span_text(wait.mean),
            span_text(wait.p50),
            span_text(wait.p95),
            span_text(wait.max)
        ),
    );
    let n_hosts: u64 = score.hosts.iter().map(|hosts| hosts.n).sum();
    page.field(
        "Machines",
        format!(
            "{n_hosts} in {} launches; {} interrupted, {} died, {} dry pools met",
            score.n_launches, score.n_interruptions, score.n_host_deaths, score.n_pool_refusals
        ),
    );
    if 0 < score.n_crashes {
        page.field("Crashes", format!("{} of the dispatcher", score.n_crashes));
    }
    bill_fields(page, score);
}

fn bill_fields(page: &mut Page, score: &Score) {
    let bill = &score.bill;
    let part = |amount| format!("{amount} ({:.0} %)", percent(amount, bill.total));
    page.field(
        "Bill",
        format!(
            "{}: work {}, idle {}, boot {}",
            bill.total,
            part(bill.work),
            part(bill.idle),
            part(bill.boot)
        ),
    );
    let alone = score.on_demand_one_vm_per_job;
    let saved = alone.saturating_sub(bill.total);
    let text =
        format!("{alone} for one On-Demand machine per job: {:.0} % saved", percent(saved, alone));
    let tone = if bill.total < alone { Tone::Good } else { Tone::Plain };
    page.field("Instead of", Field::toned(text, tone));
}

/// Machines by type and market, and what they cost.
pub(crate) fn hosts_table(hosts: &[HostCount]) -> Rows {
    let mut table = Rows::new(&["TYPE", "MARKET", "MACHINES", "COST"]);
    for host in hosts {
        let tone = match host.market {
            Market::Spot => Tone::Good,
            Market::OnDemand => Tone::Plain,
        };
        table.row([
            host.instance_type.as_str().into(),
            Field::toned(host.market.to_string(), tone),
            host.n.to_string().into(),
            host.cost.to_string().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_nothing_is_nothing() {
        assert!(percent(MicroUsd::new(5), MicroUsd::ZERO).abs() < f64::EPSILON);
        assert!((percent(MicroUsd::new(1), MicroUsd::new(4)) - 25.0).abs() < 1e-9);
    }
}
