//! The page of a report: one file that needs no network, no script and no font of its own. It shows the numbers of a [`ReportView`] and
//! computes none.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::ReportView;
use super::chart::{Chart, Form, Series};
use super::table::{self, Row, Unit, escaped};
use crate::views::time_text;

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub fn page(view: &ReportView) -> String {
    let mut page = String::with_capacity(128 * 1024);
    head(&mut page, view);
    section(&mut page, "Fleet", "Hosts that were paid for, in the mean of each step of time.");
    fleet(&mut page, view);
    section(&mut page, "Queue", JOBS_SAYS);
    jobs(&mut page, view);
    section(&mut page, "Cost", &cost_says(view));
    cost(&mut page, view);
    section(
        &mut page,
        "Waits",
        "From a job's acceptance to the start of its first attempt, of jobs that first ran in this time. Half of them waited no longer than p50, 95 % no longer than p95.",
    );
    waits(&mut page, view);
    section(
        &mut page,
        "Packing",
        "How much of the vCPUs and of the memory that hosts registered was held by attempts. Hosts are everybody's, whatever the queue.",
    );
    packing(&mut page, view);
    section(
        &mut page,
        "Interruptions",
        "Spot hosts that EC2 took back, and attempts that were lost with their host, whatever ended it.",
    );
    interruptions(&mut page, view);
    if !view.failures.is_empty() {
        section(
            &mut page,
            "Why jobs failed",
            "The most frequent reasons of jobs that failed in this time.",
        );
        shown(&mut page, view, "/failures", &view.failures);
    }
    let made = time_text(view.as_of);
    let _ = write!(
        page,
        "<footer>Made {made} by spillway report from {}. All times are UTC. <code>--format json</code> prints these numbers.</footer></main></body></html>",
        escaped(&view.source)
    );
    page.push('\n');
    page
}

const JOBS_SAYS: &str = "Jobs that waited (accepted, and on no host: for a host, or for other jobs to end), were STARTING, and were RUNNING, in the mean of each step of time. Children of arrays count one by one, arrays and nodes of multi-node jobs do not.";

fn head(page: &mut String, view: &ReportView) {
    let (since, until) = (time_text(view.since), time_text(view.until));
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Spillway report {since}</title><style>{STYLE}</style></head><body><main>\
         <h1>Spillway report</h1><p>{}<br>{since} to {until}{}</p><div class=\"facts\">",
        escaped(&view.source),
        view.queue.as_ref().map(|queue| format!(", queue {}", escaped(queue))).unwrap_or_default(),
    );
    table::html(page, "/summary", &view.summary, view.step_s);
    page.push_str("</div>");
}

fn section(page: &mut String, title: &str, says: &str) {
    let _ = write!(page, "<h2>{}</h2><p>{}</p>", escaped(title), escaped(says));
}

fn cost_says(view: &ReportView) -> String {
    let all = "What instances cost, by what it was paid for: work of attempts that ended by themselves or run, work that was lost with a host, room that nobody held beside others, hosts with nobody on them, boot, and drain. The parts sum to the bill.";
    view.queue.as_ref().map_or_else(
        || all.to_owned(),
        |_| "What the queue's attempts held of instances: work, and work that was lost with a host. Unused room, idle hosts, boot and drain are nobody's, and are left out.".to_owned(),
    )
}

fn over_time<'a>(
    page: &mut String,
    view: &ReportView,
    title: &'a str,
    unit: Unit,
    times: impl Iterator<Item = Timestamp>,
    series: Vec<Series<'a>>,
) {
    Chart::over_time(title, unit, times, view.step_s, series).draw(page);
}

fn shown<R: Row>(page: &mut String, view: &ReportView, json: &str, rows: &[R]) {
    table::html(page, json, rows, view.step_s);
}

/// A table that is long, behind a line that opens it.
fn folded<R: Row>(page: &mut String, view: &ReportView, json: &str, rows: &[R]) {
    let step = step_text(view.step_s);
    let _ = write!(page, "<details><summary>The numbers, in steps of {step}</summary>");
    table::html(page, json, rows, view.step_s);
    page.push_str("</details>");
}

fn fleet(page: &mut String, view: &ReportView) {
    let points = &view.fleet;
    let times = || points.iter().map(|point| point.at);
    let hosts = vec![
        Series::new("Spot hosts", "c1", points.iter().map(|point| point.spot_hosts)),
        Series::new("On-Demand hosts", "c2", points.iter().map(|point| point.on_demand_hosts)),
    ];
    over_time(page, view, "Hosts over time", Unit::Mean, times(), hosts);
    let vcpus = vec![
        Series::new("Spot vCPUs", "c1", points.iter().map(|point| point.spot_vcpus)),
        Series::new("On-Demand vCPUs", "c2", points.iter().map(|point| point.on_demand_vcpus)),
    ];
    over_time(page, view, "vCPUs over time", Unit::Mean, times(), vcpus);
    shown(page, view, "/types", &view.types);
    folded(page, view, "/fleet", points);
}

fn jobs(page: &mut String, view: &ReportView) {
    let points = &view.jobs;
    let series = vec![
        Series::new("RUNNING", "c3", points.iter().map(|point| point.running)),
        Series::new("STARTING", "c2", points.iter().map(|point| point.starting)),
        Series::new("Waiting", "c6", points.iter().map(|point| point.waiting)),
    ];
    over_time(page, view, "Jobs over time", Unit::Mean, points.iter().map(|p| p.at), series);
    folded(page, view, "/jobs", points);
}

fn cost(page: &mut String, view: &ReportView) {
    let points = &view.cost;
    let series = vec![
        Series::new("Work", "c3", points.iter().map(|point| point.work_usd)),
        Series::new("Lost", "c4", points.iter().map(|point| point.lost_usd)),
        Series::new("Unused", "c1", points.iter().map(|point| point.unused_usd)),
        Series::new("Idle", "c2", points.iter().map(|point| point.idle_usd)),
        Series::new("Boot", "c5", points.iter().map(|point| point.boot_usd)),
        Series::new("Drain", "c6", points.iter().map(|point| point.drain_usd)),
    ];
    over_time(page, view, "Cost over time", Unit::Usd, points.iter().map(|p| p.at), series);
    shown(page, view, "/kinds", &view.kinds);
    folded(page, view, "/cost", points);
}

fn waits(page: &mut String, view: &ReportView) {
    let label = |bin: &super::WaitBin| short_span(bin.from_s);
    let fact = |key: &str| view.summary.iter().find(|fact| fact.key == key).and_then(|f| f.value);
    let mark = |name: &str, secs: Option<f64>| {
        secs.map(|secs| (place(&view.waits, secs), format!("{name} {}", Unit::Seconds.text(secs))))
    };
    let marks = [mark("p50", fact("wait_p50_s")), mark("p95", fact("wait_p95_s"))];
    Chart {
        title: "How long jobs waited",
        form: Form::Stacked,
        unit: Unit::Count,
        labels: view.waits.iter().map(label).collect(),
        series: vec![Series::new("Jobs", "c1", view.waits.iter().map(|bin| from_count(bin.jobs)))],
        marks: marks.into_iter().flatten().collect(),
        max: None,
    }
    .draw(page);
    shown(page, view, "/waits", &view.waits);
}

fn from_count(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

fn step_text(secs: i64) -> String {
    const DAY_SECS: i64 = 86_400;
    if secs % DAY_SECS == 0 {
        return format!("{} d", secs / DAY_SECS);
    }
    short_span(secs)
}

fn short_span(secs: i64) -> String {
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        _ => format!("{} h", secs / 3_600),
    }
}

/// Where a wait is among the columns, which are of unequal length.
fn place(bins: &[super::WaitBin], secs: f64) -> f64 {
    let mut left = 0.0;
    for bin in bins {
        let from = from_count(u64::try_from(bin.from_s).unwrap_or(0));
        let until = bin.until_s.map(|until| from_count(u64::try_from(until).unwrap_or(0)));
        match until {
            Some(until) if until <= secs => left += 1.0,
            Some(until) => return left + (secs - from) / (until - from),
            None => return left + 0.5,
        }
    }
    left
}

fn packing(page: &mut String, view: &ReportView) {
    let points = &view.packing;
    let line = |name, color, values: Vec<Option<f64>>| Series { name, color, values };
    let mut chart = Chart::over_time(
        "Packing over time",
        Unit::Percent,
        points.iter().map(|point| point.at),
        view.step_s,
        vec![
            line("vCPU", "c1", points.iter().map(|point| point.vcpu_percent).collect()),
            line("Memory", "c2", points.iter().map(|point| point.memory_percent).collect()),
        ],
    );
    (chart.form, chart.max) = (Form::Lines, Some(100.0));
    chart.draw(page);
    folded(page, view, "/packing", points);
}

fn interruptions(page: &mut String, view: &ReportView) {
    let points = &view.interruptions;
    let series = vec![
        Series::new("Spot hosts taken back", "c4", points.iter().map(|p| from_count(p.hosts))),
        Series::new("Attempts lost", "c5", points.iter().map(|p| from_count(p.attempts))),
    ];
    // Hosts and attempts do not add up to anything.
    let times = points.iter().map(|point| point.at);
    let chart =
        Chart::over_time("Interruptions over time", Unit::Count, times, view.step_s, series);
    Chart { form: Form::Lines, ..chart }.draw(page);
    shown(page, view, "/interrupted", &view.interrupted);
    folded(page, view, "/interruptions", points);
}

#[cfg(test)]
mod tests;
