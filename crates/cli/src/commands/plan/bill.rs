//! `spillway plan --problem FILE --bill`: the hosts for jobs with durations that are billed least.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use spillway_planner::bill::{BillError, TimedInstances, TimedProblem, plan};
use spillway_planner::certificate::certify_bill;
use spillway_planner::verify::Certificate;

use super::bound::BoundView;
use super::{PlanArgs, input};
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::output::{Format, Page, View};

/// What the benchmark's judge reads, and more beside it.
#[derive(Debug, Serialize)]
struct BillView {
    instances: Vec<TimedInstances>,
    cost_usd: f64,
    lower_bound_usd: f64,
    gap: Option<f64>,
    bound: BoundView,
    elapsed_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate>,
}

impl View for BillView {
    /// A plan is long and for machines: the same as JSON.
    fn page(&self, page: &mut Page) {
        if let Ok(json) = serde_json::to_string(self) {
            page.line(json);
        }
    }
}

pub(super) fn run(file: &Path, args: &PlanArgs, context: &Context) -> Result<ExitStatus> {
    let apart = args.certificate.as_deref();
    let problem = read(file)?;
    if args.beside.is_about_time() {
        return super::frontier::of_problem(file, &args.beside, problem, context);
    }
    let started = Instant::now();
    let mut bill = plan(&problem).map_err(|error| complaint(file, &error))?;
    let certificate = certify_bill(&problem, &bill)
        .map_err(|error| Complaint::usage(format!("{}: {error}", file.display())))?;
    let elapsed_ms = started.elapsed().as_secs_f64() * 1000.0;
    // What is printed is what is certified.
    bill.bound = certificate.bound;
    let solution = bill.to_solution();
    let n_hosts: u64 = solution.instances.iter().map(|group| u64::from(group.count)).sum();
    let view = BillView {
        instances: solution.instances,
        cost_usd: solution.cost_usd,
        lower_bound_usd: solution.lower_bound_usd,
        gap: solution.gap,
        bound: BoundView::new(certificate.proof.kind(), solution.gap),
        elapsed_ms,
        certificate: super::keep_or_write(certificate, apart)?,
    };
    context.output.show(&view)?;
    if context.output.format() == Format::Human {
        context.output.note(&format!(
            "{n_hosts} hosts, a bill of ${:.4}; no plan is billed less than ${:.4} (gap {:.3} %: {}); {elapsed_ms:.0} ms",
            view.cost_usd,
            view.lower_bound_usd,
            100.0 * view.gap.unwrap_or_default(),
            view.bound.says(),
        ));
    }
    Ok(ExitStatus::Ok)
}

pub(super) fn complaint(file: &Path, error: &BillError) -> Complaint {
    let status = if error.is_infeasible() { ExitStatus::Infeasible } else { ExitStatus::Usage };
    Complaint::usage(format!("{}: {error}", file.display())).status(status)
}

fn read(file: &Path) -> Result<TimedProblem> {
    let value = input::read_json(file)?;
    if value.get("time").is_none() {
        let text = format!("{}: the problem has no \"time\", so there is no bill", file.display());
        let hint = "without --bill it is planned as jobs that must be held at once";
        return Err(Complaint::usage(text).hint(hint).into());
    }
    input::understood(file, value, "problem")
}
