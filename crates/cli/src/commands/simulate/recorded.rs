//! Jobs as they were recorded: rows of a CSV file, what AWS Batch lists or describes, or a ledger. Nothing is guessed: what a record does
//! not say is said by a flag, or is an error that names the job.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use spillway_core::port::JobFilter;
use spillway_core::{ArchRule, CpuUnits, Job, JobName, MarketRule, MiB};
use spillway_sim::scenario::RecordedJob;

use crate::error::Complaint;
use crate::{files, ledger, pick};

/// What jobs needed of which the record does not say it.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct SizeArgs {
    /// vCPUs of recorded jobs of which the record does not say it, as `aws batch list-jobs` does not
    #[arg(long, value_name = "VCPUS", requires = "jobs")]
    pub job_vcpus: Option<CpuUnits>,
    /// Memory of recorded jobs of which the record does not say it
    #[arg(long, value_name = "SIZE", requires = "jobs")]
    pub job_memory: Option<MiB>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) jobs: Vec<RecordedJob>,
    /// Those that never ran, or have not ended.
    pub(super) n_not_run: usize,
    /// Arrays, whose children are jobs of their own, and multi-node jobs.
    pub(super) n_wholes: usize,
    /// Columns of a CSV file that mean nothing here.
    pub(super) passed_over: Vec<String>,
}

/// A SQLite file begins with this (sqlite.org/fileformat.html).
const SQLITE: &[u8] = b"SQLite format 3\0";

const KNOWN_COLUMNS: [&str; 11] = [
    "name",
    "submitted",
    "started",
    "stopped",
    "duration",
    "vcpus",
    "memory",
    "gpus",
    "architecture",
    "market",
    "exit_code",
];

const COLUMNS: &str = "the columns are submitted, started and stopped (or duration), vcpus, memory, and if wanted name, gpus, \
    architecture, market and exit_code";

/// Reads them, whatever the file is.
pub(super) fn read(path: &Path, sizes: SizeArgs) -> Result<Record> {
    if is_ledger(path) {
        return of_ledger(path);
    }
    let text = files::read(path)?;
    let record = match text.trim_start().chars().next() {
        Some('{' | '[') => of_batch(&text, sizes),
        Some(_) | None => of_csv(&text, sizes),
    };
    record.with_context(|| format!("cannot take jobs from {}", path.display()))
}

fn is_ledger(path: &Path) -> bool {
    let mut first = [0; SQLITE.len()];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok()
        && first == SQLITE
}

/// A row, as it is written.
#[derive(Debug, Deserialize)]
struct CsvJob {
    name: Option<String>,
    submitted: Option<String>,
    started: Option<String>,
    stopped: Option<String>,
    duration: Option<String>,
    vcpus: Option<String>,
    memory: Option<String>,
    gpus: Option<u32>,
    architecture: Option<String>,
    market: Option<String>,
    exit_code: Option<u8>,
}

fn of_csv(text: &str, sizes: SizeArgs) -> Result<Record, Complaint> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| wrong("its first row", &error).hint(COLUMNS))?;
    let unknown = header.iter().filter(|name| !KNOWN_COLUMNS.contains(name));
    let mut record =
        Record { passed_over: unknown.map(str::to_owned).collect(), ..Record::default() };
    for (row, job) in reader.deserialize::<CsvJob>().enumerate() {
        let at = || format!("row {}", row + 1);
        let job = job.map_err(|error| wrong(&at(), &error).hint(COLUMNS))?;
        match of_row(&job, row, sizes).map_err(|what| wrong(&at(), &what).hint(COLUMNS))? {
            Some(job) => record.jobs.push(job),
            None => record.n_not_run += 1,
        }
    }
    Ok(record)
}

/// None for a job that has not run to its end.
fn of_row(job: &CsvJob, row: usize, sizes: SizeArgs) -> Result<Option<RecordedJob>, String> {
    let text = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    let time = |field| text(field).map(|text| moment(&text)).transpose();
    let Some(submitted) = time(&job.submitted)? else {
        return Err("it does not say when it was submitted".to_owned());
    };
    let ran = match (text(&job.duration), time(&job.started)?, time(&job.stopped)?) {
        (Some(duration), ..) => span(&duration)?,
        (None, Some(started), Some(stopped)) => between(started, stopped)?,
        (None, ..) => return Ok(None),
    };
    let vcpus = text(&job.vcpus).map(|text| text.parse::<CpuUnits>()).transpose();
    let memory = text(&job.memory).map(|text| text.parse::<MiB>()).transpose();
    let name = text(&job.name).unwrap_or_else(|| format!("job-{}", row + 1));
    let architecture = text(&job.architecture).unwrap_or_else(|| "x86_64".to_owned());
    let market = text(&job.market).unwrap_or_else(|| "any".to_owned());
    let (cpu, memory) = sized(vcpus.map_err(said)?, memory.map_err(said)?, sizes)?;
    Ok(Some(RecordedJob {
        name: name.parse().map_err(said)?,
        submitted,
        ran,
        cpu,
        memory,
        gpus: job.gpus.unwrap_or(0),
        architecture: architecture.parse().map_err(said)?,
        market: market.parse().map_err(said)?,
        exit_code: job.exit_code.unwrap_or(0),
    }))
}

/// What `ListJobs` and `DescribeJobs` say of a job (AWS Batch API reference, `JobSummary` and `JobDetail`). Times are milliseconds since
/// 1970; sizes are in `DescribeJobs` alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchJob {
    job_name: JobName,
    created_at: Option<i64>,
    started_at: Option<i64>,
    stopped_at: Option<i64>,
    #[serde(default)]
    container: BatchContainer,
    array_properties: Option<BatchArray>,
    node_properties: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BatchContainer {
    exit_code: Option<i64>,
    vcpus: Option<u32>,
    memory: Option<u32>,
    resource_requirements: Vec<BatchRequirement>,
}

#[derive(Debug, Deserialize)]
struct BatchRequirement {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

#[derive(Debug, Deserialize)]
struct BatchArray {
    index: Option<u32>,
}

impl BatchContainer {
    fn required(&self, kind: &str) -> Option<&str> {
        let of_kind = |one: &&BatchRequirement| one.kind == kind;
        self.resource_requirements.iter().find(of_kind).map(|one| one.value.as_str())
    }
}

/// Pages of both may follow each other in one file.
fn of_batch(text: &str, sizes: SizeArgs) -> Result<Record, Complaint> {
    let mut record = Record::default();
    for page in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let page = page.map_err(|error| wrong("it", &error))?;
        let jobs = page.get("jobSummaryList").or_else(|| page.get("jobs")).unwrap_or(&page);
        let Some(jobs) = jobs.as_array() else {
            let hint = "give what `aws batch list-jobs` or `describe-jobs` prints, a CSV file, or a ledger";
            return Err(Complaint::usage("it has neither `jobSummaryList` nor `jobs`").hint(hint));
        };
        for job in jobs {
            let ord = record.jobs.len() + record.n_not_run + record.n_wholes;
            let at = || format!("job {} of it", ord + 1);
            let job = BatchJob::deserialize(job).map_err(|error| wrong(&at(), &error))?;
            let is_array = job.array_properties.as_ref().is_some_and(|a| a.index.is_none());
            if is_array || job.node_properties.is_some() {
                record.n_wholes += 1;
                continue;
            }
            let flags = "--job-vcpus and --job-memory say it for all of which the record does not";
            match of_batch_job(&job, sizes).map_err(|what| wrong(&at(), &what).hint(flags))? {
                Some(job) => record.jobs.push(job),
                None => record.n_not_run += 1,
            }
        }
    }
    Ok(record)
}

fn of_batch_job(job: &BatchJob, sizes: SizeArgs) -> Result<Option<RecordedJob>, String> {
    let at = |ms: i64| Timestamp::from_millisecond(ms).map_err(said);
    let (Some(created), Some(started), Some(stopped)) =
        (job.created_at, job.started_at, job.stopped_at)
    else {
        return Ok(None);
    };
    let container = &job.container;
    let number = |kind: &str, old: Option<u32>| {
        container.required(kind).map(str::to_owned).or_else(|| old.map(|n| n.to_string()))
    };
    let vcpus = number("VCPU", container.vcpus).map(|text| text.parse()).transpose();
    let memory = number("MEMORY", container.memory).map(|text| text.parse()).transpose();
    let gpus = container.required("GPU").map(str::parse::<u32>).transpose().map_err(said)?;
    let (cpu, memory) = sized(vcpus.map_err(said)?, memory.map_err(said)?, sizes)?;
    Ok(Some(RecordedJob {
        name: job.job_name.clone(),
        submitted: at(created)?,
        ran: between(at(started)?, at(stopped)?)?,
        cpu,
        memory,
        gpus: gpus.unwrap_or(0),
        architecture: ArchRule::default(),
        market: MarketRule::Any,
        exit_code: container.exit_code.and_then(|code| u8::try_from(code).ok()).unwrap_or(0),
    }))
}

/// All jobs of a ledger that ran to their end, each as its last attempt did.
fn of_ledger(path: &Path) -> Result<Record> {
    let reader = ledger::file_reader(path)?;
    let (mut record, mut arrays) = (Record::default(), Vec::new());
    let mut take = |job: Job| {
        if job.spec.gang.is_some() {
            record.n_wholes += 1;
            return;
        }
        match of_job(&job) {
            Some(job) => record.jobs.push(job),
            None => record.n_not_run += 1,
        }
    };
    pick::each(reader.as_ref(), &JobFilter::default(), |job| {
        if job.spec.array.is_some() && job.id == job.id.whole() {
            arrays.push(job.id);
        } else {
            take(job);
        }
    })?;
    for array in arrays {
        let children = JobFilter { array: Some(array), ..JobFilter::default() };
        pick::each(reader.as_ref(), &children, &mut take)?;
    }
    Ok(record)
}

fn of_job(job: &Job) -> Option<RecordedJob> {
    let last = job.attempts.last()?;
    let started = last.started_at?;
    let (spec, need) = (&job.spec, job.spec.resources);
    Some(RecordedJob {
        name: spec.name.clone(),
        submitted: job.created_at,
        ran: last.stopped_at.duration_since(started).max(SignedDuration::ZERO),
        cpu: need.cpu,
        memory: need.memory,
        gpus: need.gpus,
        architecture: spec.arch.map_or(ArchRule::Any, |arch| match arch {
            spillway_core::Arch::X86_64 => ArchRule::X86_64,
            spillway_core::Arch::Arm64 => ArchRule::Arm64,
        }),
        market: spec.market,
        exit_code: last.exit_code.and_then(|code| u8::try_from(code).ok()).unwrap_or(0),
    })
}

fn sized(
    cpu: Option<CpuUnits>,
    memory: Option<MiB>,
    sizes: SizeArgs,
) -> Result<(CpuUnits, MiB), String> {
    let cpu = cpu.or(sizes.job_vcpus).ok_or("it does not say how many vCPUs it needed")?;
    let memory = memory.or(sizes.job_memory).ok_or("it does not say how much memory it needed")?;
    Ok((cpu, memory))
}

/// `2026-11-01T08:00:00Z`, or seconds since 1970.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(secs) = text.parse::<i64>() {
        return Timestamp::from_second(secs).map_err(said);
    }
    text.parse().map_err(|error| format!("{text:?} is no time: {error}"))
}

/// `90s`, `2h 30m`, or seconds.
fn span(text: &str) -> Result<SignedDuration, String> {
    let secs = text.parse::<f64>().ok().map(SignedDuration::try_from_secs_f64);
    let span = match secs {
        Some(span) => span.map_err(said)?,
        None => super::source::span(text)?,
    };
    if span.is_negative() { Err(format!("{text:?} is less than nothing")) } else { Ok(span) }
}

fn between(started: Timestamp, stopped: Timestamp) -> Result<SignedDuration, String> {
    let ran = stopped.duration_since(started);
    if ran.is_negative() { Err("it stopped before it started".to_owned()) } else { Ok(ran) }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn wrong(place: &str, what: &dyn std::fmt::Display) -> Complaint {
    Complaint::usage(format!("{place}: {what}"))
}
