//! A score for people: what became of the jobs, how long they waited, and where the money went.

use spillway_core::{Market, MicroUsd};
use spillway_sim::Score;
use spillway_sim::score::HostCount;

use super::span_text;
use crate::output::{Field, Page, Rows, Tone};

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
