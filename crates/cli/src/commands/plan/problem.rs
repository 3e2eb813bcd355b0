//! `spillway plan --problem FILE`: the cheapest hosts for jobs that are all held at once.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use spillway_core::plan::Effort;
use spillway_core::{MicroUsdPerHour, PlanPolicy};
use spillway_planner::certificate::certify;
use spillway_planner::plan_and_prices;
use spillway_planner::problem::{Instances, Problem, solution};
use spillway_planner::verify::Certificate;

use super::bound::BoundView;
use super::input;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::output::{Format, Page, View};

/// What the benchmark's judge reads, and more beside it.
#[derive(Debug, Serialize)]
struct SolutionView {
    instances: Vec<Instances>,
    cost_usd_per_hour: f64,
    lower_bound_usd_per_hour: f64,
    gap: Option<f64>,
    bound: BoundView,
    elapsed_ms: f64,
    waiting: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate>,
}

impl View for SolutionView {
    /// A plan is long and for machines: the same as JSON.
    fn page(&self, page: &mut Page) {
        if let Ok(json) = serde_json::to_string(self) {
            page.line(json);
        }
    }
}

pub(super) fn run(
    file: &Path,
    effort: Effort,
    apart: Option<&Path>,
    context: &Context,
) -> Result<ExitStatus> {
    let problem = read(file)?;
    let wrong =
        |error: &dyn std::error::Error| Complaint::usage(format!("{}: {error}", file.display()));
    let question = problem.to_exact_input().map_err(|error| wrong(&error))?;
    let started = Instant::now();
    let (mut planned, prices) =
        plan_and_prices(&question, &PlanPolicy { effort, ..PlanPolicy::default() });
    let certificate = certify(&problem, &prices).map_err(|error| wrong(&error))?;
    let elapsed_ms = started.elapsed().as_secs_f64() * 1000.0;
    // What is printed is what is certified.
    planned.report.bound = MicroUsdPerHour::new(certificate.bound);
    let solution = solution(&problem, &planned).map_err(|error| wrong(&error))?;
    let waiting = planned.report.waiting.iter().map(|w| problem.in_cpu_units(w));
    let view = SolutionView {
        instances: solution.instances,
        cost_usd_per_hour: solution.cost_usd_per_hour,
        lower_bound_usd_per_hour: solution.lower_bound_usd_per_hour,
        gap: solution.gap,
        bound: BoundView::new(certificate.proof.kind(), solution.gap),
        elapsed_ms,
        waiting: waiting.map(|w| format!("{} x ({}): {}", w.count, w.key, w.reason)).collect(),
        certificate: super::keep_or_write(certificate, apart)?,
    };
    context.output.show(&view)?;
    if context.output.format() == Format::Human {
        let (cost, bound) = (planned.plan.price(), planned.report.bound);
        let n_hosts = planned.plan.n_hosts();
        context.output.note(&format!(
            "{n_hosts} hosts at {cost}; no set costs less than {bound} (gap {:.3} %: {}); {elapsed_ms:.0} ms",
            100.0 * view.gap.unwrap_or_default(),
            view.bound.says(),
        ));
        for line in &view.waiting {
            context.output.warn(line);
        }
    }
    Ok(super::verdict(&planned))
}

fn read(file: &Path) -> Result<Problem> {
    let value = input::read_json(file)?;
    if value.get("time").is_some() {
        let text =
            format!("{}: the problem has a \"time\": its jobs have durations", file.display());
        return Err(Complaint::usage(text).hint("plan it with --bill").into());
    }
    input::understood(file, value, "problem")
}
