//! `spillway plan --frontier` and `--deadline`: what the same work is billed if it may start, or end, later.

use std::path::Path;

use anyhow::Result;
use jiff::SignedDuration;
use serde::Serialize;
use spillway_core::Planned;
use spillway_planner::bill::{BillSolution, TimedProblem, plan};
use spillway_planner::explain::Question;
use spillway_planner::explain::frontier::{Work, by_deadline, frontier};

use super::BesideArgs;
use super::bill::complaint;
use crate::config::values::Span;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::output::{Lines, Page, Rows, View};
use crate::views::plan::frontier::{FrontierView, bar, span};

/// For the work that waits.
pub(super) fn of_queue(
    args: &BesideArgs,
    question: &Question,
    planned: &Planned,
) -> Result<FrontierView> {
    let work = Work::of(question, planned);
    let points = if args.frontier { frontier(question, &work) } else { Vec::new() };
    let deadline = match args.deadline {
        None => None,
        Some(given) => {
            let secs = whole_secs(given);
            let point = by_deadline(question, &work, secs).map_err(|error| {
                let text = format!("not all can end within {}: {error}", span(secs));
                Complaint::usage(text).status(ExitStatus::Infeasible)
            })?;
            Some((secs, point))
        }
    };
    let deadline = deadline.as_ref().map(|(secs, point)| (*secs, point));
    Ok(FrontierView::new(&work, &question.policy, &points, deadline))
}

fn whole_secs(span: Span) -> u32 {
    u32::try_from(span.0.as_secs()).unwrap_or(u32::MAX)
}

/// One deadline of a problem.
#[derive(Debug, Serialize)]
struct LineView {
    deadline_s: u32,
    cost_usd: f64,
    lower_bound_usd: f64,
    gap: Option<f64>,
    n_instances: u64,
}

/// The bill of a problem by deadline.
#[derive(Debug, Serialize)]
struct DeadlinesView {
    frontier: Vec<LineView>,
}

impl View for DeadlinesView {
    fn page(&self, page: &mut Page) {
        let head = ["ALL END WITHIN", "HOSTS", "BILL", "", "NO LESS THAN"];
        let mut table = Rows::new(&head);
        let most = self.frontier.iter().map(|line| line.cost_usd).fold(0.0, f64::max);
        for line in &self.frontier {
            table.row([
                span(line.deadline_s).into(),
                line.n_instances.to_string().into(),
                format!("${:.4}", line.cost_usd).into(),
                bar(line.cost_usd, most).into(),
                format!("${:.4}", line.lower_bound_usd).into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.frontier.iter().try_for_each(|line| lines.item(line))
    }
}

/// Parts of the soonest possible end by which the deadline is put off.
const DEADLINE_FACTORS: [(u32, u32); 7] = [(1, 1), (5, 4), (3, 2), (2, 1), (3, 1), (5, 1), (8, 1)];

/// For a problem in a file: by the deadline given, or for a list of deadlines from the soonest that can be kept.
pub(super) fn of_problem(
    file: &Path,
    args: &BesideArgs,
    problem: TimedProblem,
    context: &Context,
) -> Result<ExitStatus> {
    let mut problem = problem;
    let mut deadlines: Vec<u32> = args.deadline.map(whole_secs).into_iter().collect();
    if args.frontier {
        let longest = problem.jobs.iter().map(|job| job.duration_s).fold(0.0, f64::max);
        let soonest = seconds((longest + problem.time.boot_s).ceil());
        let later = |(times, of): &(u32, u32)| soonest.saturating_mul(*times).div_ceil(*of);
        deadlines.extend(DEADLINE_FACTORS.iter().map(later));
    }
    deadlines.sort_unstable();
    deadlines.dedup();
    let mut lines: Vec<LineView> = Vec::new();
    for deadline_s in deadlines {
        problem.time.deadline_s = f64::from(deadline_s);
        let bill = plan(&problem).map_err(|error| complaint(file, &error))?;
        let solution: BillSolution = bill.to_solution();
        let is_cheaper = lines.iter().all(|line| solution.cost_usd < line.cost_usd);
        if is_cheaper {
            lines.push(LineView {
                deadline_s,
                cost_usd: solution.cost_usd,
                lower_bound_usd: solution.lower_bound_usd,
                gap: solution.gap,
                n_instances: solution.instances.iter().map(|group| u64::from(group.count)).sum(),
            });
        }
    }
    context.output.show(&DeadlinesView { frontier: lines })?;
    Ok(ExitStatus::Ok)
}

/// Whole seconds of a problem's time, which its planner checks again.
fn seconds(value: f64) -> u32 {
    let span = SignedDuration::try_from_secs_f64(value).unwrap_or_default();
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}
