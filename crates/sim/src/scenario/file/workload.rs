//! The `[workload]` of a scenario's TOML: groups of jobs, raw messages, and files of them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;

use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use spillway_core::array::Indexes;
use spillway_core::coalesce::CoalesceRule;
use spillway_core::quantity::QuantityError;
use spillway_core::{
    ArraySpec, ConsumableName, CpuUnits, DependencyKind, GpuKind, JobName, MiB, QueueName,
    Scheduling, ShareId,
};

use crate::scenario::duration::Distribution;
use crate::scenario::estimate::{self, Estimate};
use crate::scenario::workload::{Arrival, JobGroup, RawMessages, Size, VariantRule, Workload};
use crate::scenario::{ScenarioError, read};
use crate::setting::{Chance, Span, Spread};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WorkloadFile {
    jobs: Vec<JobsFile>,
    messages: Vec<MessagesFile>,
    files: Vec<LinesFile>,
    /// How long it takes people to approve what is held; unsaid, nobody does.
    approves_after: Option<Spread>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobsFile {
    name: JobName,
    count: Option<u32>,
    queue: Option<QueueName>,
    image: Option<String>,
    command: Option<Vec<String>>,
    vcpus: Option<Vcpus>,
    memory: Option<String>,
    #[serde(default)]
    gpus: u32,
    #[serde(default)]
    sizes: Vec<SizeFile>,
    architecture: Option<String>,
    #[serde(default)]
    gpu_kinds: Vec<GpuKind>,
    market: Option<String>,
    duration: Option<Distribution>,
    tell_duration: Option<bool>,
    estimate: Option<Estimate>,
    #[serde(default)]
    exits: BTreeMap<String, u32>,
    #[serde(default)]
    oom: Chance,
    #[serde(default)]
    ignores_sigterm: Chance,
    attempts: Option<u8>,
    timeout: Option<Span>,
    #[serde(default)]
    resend: Chance,
    #[serde(default)]
    cancel: Chance,
    #[serde(default)]
    terminate: Chance,
    end_after: Option<Spread>,
    at: Option<Span>,
    every: Option<Span>,
    over: Option<Span>,
    #[serde(default)]
    rates: Vec<u32>,
    array: Option<ArrayFile>,
    coalesce: Option<CoalesceFile>,
    #[serde(default)]
    variants: Vec<VariantFile>,
    nodes: Option<u32>,
    #[serde(default)]
    after: BTreeMap<JobName, DependencyKind>,
    share: Option<ShareId>,
    #[serde(default)]
    priority: u16,
    #[serde(default)]
    consumes: BTreeMap<ConsumableName, u64>,
}

/// What makes each job of a group an array.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArrayFile {
    size: u32,
    #[serde(default)]
    first: u32,
    step: Option<NonZeroU32>,
    max_concurrency: Option<NonZeroU32>,
    #[serde(default)]
    sequential: bool,
}

/// How the children of an array share tasks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CoalesceFile {
    size: NonZeroU32,
    parallel: Option<NonZeroU32>,
}

impl From<CoalesceFile> for CoalesceRule {
    fn from(CoalesceFile { size, parallel }: CoalesceFile) -> Self {
        Self { size, parallel: parallel.unwrap_or(NonZeroU32::MIN).min(size) }
    }
}

impl From<ArrayFile> for ArraySpec {
    fn from(file: ArrayFile) -> Self {
        let ArrayFile { size, first, step, max_concurrency, sequential } = file;
        let indexes = Indexes { first, step: step.unwrap_or(NonZeroU32::MIN), size };
        Self { indexes, max_concurrency, sequential }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeFile {
    vcpus: Vcpus,
    memory: String,
    #[serde(default)]
    gpus: u32,
    weight: Option<u32>,
    stretch: Option<Chance>,
}

/// Another way to run the jobs of a group; `stretch` is how long it runs as a part of how long the job itself does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantFile {
    vcpus: Vcpus,
    memory: String,
    #[serde(default)]
    gpus: u32,
    stretch: Option<Chance>,
    architecture: Option<String>,
    image: Option<String>,
}

impl VariantFile {
    fn resolve(self) -> Result<VariantRule, QuantityError> {
        let only = Size::only(self.vcpus.0, self.memory.parse()?, self.gpus);
        let size = Size { stretch: self.stretch.unwrap_or(only.stretch), ..only };
        Ok(VariantRule { size, architecture: self.architecture, image: self.image })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessagesFile {
    body: String,
    count: Option<u32>,
    at: Option<Span>,
    every: Option<Span>,
    over: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinesFile {
    path: String,
    at: Option<Span>,
    every: Option<Span>,
    over: Option<Span>,
}

/// `2`, `0.5` or `"0.25"`.
#[derive(Debug)]
struct Vcpus(CpuUnits);

impl<'de> Deserialize<'de> for Vcpus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => text,
            toml::Value::Integer(n) => n.to_string(),
            toml::Value::Float(n) => n.to_string(),
            other @ (toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_)) => {
                return Err(de::Error::custom(format!("{other} is not a number of vCPUs")));
            }
        };
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

fn arrival(
    at: Option<Span>,
    every: Option<Span>,
    over: Option<Span>,
    rates: Vec<u32>,
) -> Result<Arrival, ScenarioError> {
    if every.is_some() && over.is_some() {
        return Err(ScenarioError::invalid(
            "`every` and `over` are both given\nhint: `every` is a steady pace, `over` spreads arrivals at random",
        ));
    }
    if !rates.is_empty() && (over.is_none() || rates.iter().all(|rate| *rate == 0)) {
        return Err(ScenarioError::invalid(
            "`rates` are how many jobs come in each part of `over`, and at least one of them is not 0",
        ));
    }
    let span = |s: Option<Span>| s.map_or(SignedDuration::ZERO, |Span(s)| s);
    Ok(Arrival { at: span(at), every: span(every), over: over.map(|Span(s)| s), rates })
}

impl WorkloadFile {
    pub(super) fn resolve(
        self,
        queue: Option<&QueueName>,
        folder: Option<&Path>,
    ) -> Result<Workload, ScenarioError> {
        let mut workload = Workload { approves_after: self.approves_after, ..Workload::default() };
        for jobs in self.jobs {
            workload.groups.push(jobs.resolve(queue)?);
        }
        for messages in self.messages {
            let count = usize::try_from(messages.count.unwrap_or(1)).unwrap_or(usize::MAX);
            let arrival = arrival(messages.at, messages.every, messages.over, Vec::new())?;
            workload.raw.push(RawMessages { bodies: vec![messages.body; count], arrival });
        }
        for lines in self.files {
            let path = folder.unwrap_or(Path::new("")).join(&lines.path);
            let text = read(&path)?;
            let bodies = text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect();
            let arrival = arrival(lines.at, lines.every, lines.over, Vec::new())?;
            workload.raw.push(RawMessages { bodies, arrival });
        }
        Ok(workload)
    }
}

impl JobsFile {
    fn resolve(self, queue: Option<&QueueName>) -> Result<JobGroup, ScenarioError> {
        let invalid = |key: &str, error: &dyn std::fmt::Display| {
            ScenarioError::invalid(format!("workload.jobs {}: {key}: {error}", self.name))
        };
        let one = match (self.vcpus, self.memory) {
            (Some(vcpus), Some(memory)) => {
                let gpus = self.gpus;
                vec![SizeFile { vcpus, memory, gpus, weight: None, stretch: None }]
            }
            (None, None) => Vec::new(),
            (Some(_), None) => return Err(invalid("memory", &"is missing")),
            (None, Some(_)) => return Err(invalid("vcpus", &"is missing")),
        };
        if one.is_empty() == self.sizes.is_empty() {
            return Err(invalid("sizes", &"give either `vcpus` and `memory`, or `sizes`"));
        }
        let mut sizes = Vec::new();
        for size in one.into_iter().chain(self.sizes) {
            let memory: MiB = size.memory.parse().map_err(|e| invalid("memory", &e))?;
            let only = Size::only(size.vcpus.0, memory, size.gpus);
            sizes.push(Size {
                weight: size.weight.unwrap_or(only.weight),
                stretch: size.stretch.unwrap_or(only.stretch),
                ..only
            });
        }
        let estimate = estimate::resolve(self.tell_duration, self.estimate)
            .map_err(|e| invalid("estimate", &e))?;
        let mut exits = Vec::new();
        for (code, weight) in &self.exits {
            let code =
                code.parse().map_err(|_| invalid("exits", &format!("{code:?} is no exit code")))?;
            exits.push((code, *weight));
        }
        let variants = self.variants.into_iter().map(VariantFile::resolve);
        let variants: Result<Vec<VariantRule>, QuantityError> = variants.collect();
        let variants = variants.map_err(|error| invalid("variants", &error))?;
        let no_queue =
            || invalid("queue", &"there is none to send to\nhint: name one in engine.queues");
        Ok(JobGroup {
            queue: self.queue.clone().or_else(|| queue.cloned()).ok_or_else(no_queue)?,
            arrival: arrival(self.at, self.every, self.over, self.rates)?,
            name: self.name,
            count: self.count.unwrap_or(1),
            image: self.image.unwrap_or_else(|| "busybox:1.36".to_owned()),
            command: self.command,
            sizes,
            architecture: self.architecture,
            gpu_kinds: self.gpu_kinds,
            market: self.market,
            duration: self.duration.unwrap_or(Distribution::Even(Spread::of_secs(60, 60))),
            estimate,
            exits,
            oom: self.oom,
            ignores_sigterm: self.ignores_sigterm,
            attempts: self.attempts,
            timeout: self.timeout.map(|Span(timeout)| timeout),
            resend: self.resend,
            cancel: self.cancel,
            terminate: self.terminate,
            array: self.array.map(Into::into),
            coalesce: self.coalesce.map(Into::into),
            variants,
            nodes: self.nodes,
            after: self.after.into_iter().collect(),
            scheduling: Scheduling {
                share: self.share,
                priority: self.priority,
                consumes: self.consumes,
            },
            end_after: self.end_after.unwrap_or(Spread::of_secs(0, 300)),
        })
    }
}
