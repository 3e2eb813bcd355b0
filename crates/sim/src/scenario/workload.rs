//! What is sent to the job queue, and when: generated jobs, lines of a file, and raw messages.
//!
//! Messages are real ones, with an inline job definition. What a generated job will do is in its command
//! (`sh -c "sleep 12.5; exit 3"`), so a message says all about itself.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use spillway_core::coalesce::CoalesceRule;
use spillway_core::{
    ArraySpec, ConsumableName, CpuUnits, Dependency, DependencyKind, GpuKind, JobId, JobName, MiB,
    QueueName, Scheduling,
};

mod arrival;
mod plain;

pub use arrival::Arrival;

use super::duration::Distribution;
use super::estimate::Estimate;
use crate::dice::{Dice, Roll};
use crate::setting::{Chance, Spread};

/// A message and when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub body: String,
}

/// Which of several, by their weights; none if there is no weight at all.
fn weighted(weights: impl Iterator<Item = u32> + Clone, roll: &mut Roll) -> Option<usize> {
    let total: u64 = weights.clone().map(u64::from).sum();
    let mut drawn = roll.below(total);
    for (at, weight) in weights.enumerate() {
        match drawn.checked_sub(u64::from(weight)) {
            Some(left) => drawn = left,
            None => return Some(at),
        }
    }
    None
}

/// One size of the jobs of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// What each needs.
    pub cpu: CpuUnits,
    /// What each needs.
    pub memory: MiB,
    /// What each needs.
    pub gpus: u32,
    /// How common it is among the sizes of its group.
    pub weight: u32,
    /// How long such jobs run, as a part of what is drawn for the group: larger ones often run longer.
    pub stretch: Chance,
}

impl Size {
    /// The only size of a group.
    pub const fn only(cpu: CpuUnits, memory: MiB, gpus: u32) -> Self {
        Self { cpu, memory, gpus, weight: 1, stretch: Chance::percent(100) }
    }

    fn stretched(&self, duration: SignedDuration) -> SignedDuration {
        let ms = duration.as_millis().saturating_mul(i128::from(self.stretch.ppm())) / 1_000_000;
        SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

/// Another way to run the jobs of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantRule {
    /// What it needs, and how long it runs as a part of how long the job itself does.
    pub size: Size,
    /// `x86_64`, `arm64` or `any`; none is the group's.
    pub architecture: Option<String>,
    /// Its image; none is the group's.
    pub image: Option<String>,
}

/// Equal jobs but for what is drawn for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobGroup {
    /// The jobs' name.
    pub name: JobName,
    /// How many.
    pub count: u32,
    /// The queue they are sent to.
    pub queue: QueueName,
    /// Their image.
    pub image: String,
    /// Their command, instead of one made from the fields below.
    pub command: Option<Vec<String>>,
    /// What they need: one of these each.
    pub sizes: Vec<Size>,
    /// `x86_64`, `arm64` or `any`.
    pub architecture: Option<String>,
    /// The kinds of GPU they accept; none named is any.
    pub gpu_kinds: Vec<GpuKind>,
    /// `any`, `spot` or `on-demand`.
    pub market: Option<String>,
    /// How long they run.
    pub duration: Distribution,
    /// How long they say they will run.
    pub estimate: Estimate,
    /// Exit codes and their weights; none is always 0.
    pub exits: Vec<(u8, u32)>,
    /// How many are killed for memory.
    pub oom: Chance,
    /// How many ignore SIGTERM.
    pub ignores_sigterm: Chance,
    /// How many attempts each has.
    pub attempts: Option<u8>,
    /// How long an attempt may run.
    pub timeout: Option<SignedDuration>,
    /// How many are sent once more, up to ten minutes later.
    pub resend: Chance,
    /// How many are to be cancelled (`CancelJob`).
    pub cancel: Chance,
    /// How many are to be terminated (`TerminateJob`).
    pub terminate: Chance,
    /// How long after a job the order to end it is sent.
    pub end_after: Spread,
    /// When they are sent.
    pub arrival: Arrival,
    /// What makes each of them an array.
    pub array: Option<ArraySpec>,
    /// How its children share tasks.
    pub coalesce: Option<CoalesceRule>,
    /// Other ways to run each of them.
    pub variants: Vec<VariantRule>,
    /// How many nodes each of them has; none for a job of one container. Node 0 is the main one.
    pub nodes: Option<u32>,
    /// Groups that it waits for, and how: each job for the one with the same number, counted around if there are fewer.
    pub after: Vec<(JobName, DependencyKind)>,
    /// Their place among others.
    pub scheduling: Scheduling,
}

/// Messages that are sent as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessages {
    /// The bodies, in order.
    pub bodies: Vec<String>,
    /// When they are sent.
    pub arrival: Arrival,
}

/// All that is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// Generated jobs.
    pub groups: Vec<JobGroup>,
    /// Raw messages.
    pub raw: Vec<RawMessages>,
    /// How long it takes people to approve a burst that is held; none: nobody does.
    pub approves_after: Option<Spread>,
}

/// When a message that is sent twice is sent again.
const RESEND_AFTER: Spread = Spread::of_secs(0, 600);

impl Workload {
    /// Everything that is sent, in order of time; of equal times in the order of the scenario.
    pub fn messages(&self, start: Timestamp, seed: u64) -> Vec<Sent> {
        let dice = Dice::new(seed);
        let mut sent = Vec::new();
        for (section, group) in self.groups.iter().enumerate() {
            for ord in 0..group.count {
                let mut roll = dice.roll("job", &format_args!("{section}/{ord}"));
                let at = group.arrival.of(ord, start, &mut roll);
                let depends_on = self.dependencies(group, ord);
                let body = group.message(section, ord, &depends_on, dice, &mut roll);
                if roll.happens(group.resend) {
                    let again_at = at + roll.within(RESEND_AFTER);
                    sent.push(Sent { at: again_at, body: body.clone() });
                }
                let mut roll = dice.roll("end of job", &format_args!("{section}/{ord}"));
                sent.extend(group.end_order(section, ord, at, &mut roll));
                sent.push(Sent { at, body });
            }
        }
        for (section, raw) in self.raw.iter().enumerate() {
            for (ord, body) in (0..).zip(&raw.bodies) {
                let mut roll = dice.roll("raw message", &format_args!("{section}/{ord}"));
                sent.push(Sent { at: raw.arrival.of(ord, start, &mut roll), body: body.clone() });
            }
        }
        sent.sort_by_key(|s| s.at);
        sent
    }

    /// The jobs that the `ord`-th job of a group waits for.
    fn dependencies(&self, group: &JobGroup, ord: u32) -> Vec<Dependency> {
        let of_name = |(name, kind): &(JobName, DependencyKind)| {
            let named = |(_, other): &(usize, &JobGroup)| other.name == *name;
            let (section, other) = self.groups.iter().enumerate().find(named)?;
            let token = other.client_token(section, ord.checked_rem(other.count)?);
            Some(Dependency { job: JobId::derive(&other.queue, &token), kind: *kind })
        };
        group.after.iter().filter_map(of_name).collect()
    }
}

/// What becomes of a job, however it is run.
#[derive(Debug, Clone, Copy)]
struct Fate {
    duration: SignedDuration,
    exit_code: u8,
    is_oom: bool,
    ignores_sigterm: bool,
}

/// All three amounts, the GPUs last.
fn requirements(size: &Size) -> Vec<Value> {
    vec![
        json!({"type": "VCPU", "value": vcpus_text(size.cpu)}),
        json!({"type": "MEMORY", "value": size.memory.get().to_string()}),
        json!({"type": "GPU", "value": size.gpus.to_string()}),
    ]
}

impl JobGroup {
    /// A variant of a job that says this under `spillway` of itself.
    fn variant(&self, rule: &VariantRule, fate: Fate, of_job: &Value) -> Value {
        let Fate { duration, exit_code, is_oom, ignores_sigterm } = fate;
        let duration = rule.size.stretched(duration);
        let mut variant = json!({"resourceRequirements": requirements(&rule.size)});
        if self.command.is_none() && self.array.is_none() {
            variant["command"] = json!(command(duration, exit_code, is_oom, ignores_sigterm));
        }
        if let Some(image) = &rule.image {
            variant["image"] = json!(image);
        }
        if let Some(architecture) = &rule.architecture {
            variant["architecture"] = json!(architecture);
        }
        if let Some(secs) = of_job["expectedDurationSeconds"].as_i64() {
            let told = rule.size.stretched(SignedDuration::from_secs(secs));
            variant["expectedDurationSeconds"] = json!(told.as_secs().max(1));
        }
        variant
    }

    /// The `ord`-th message.
    fn message(
        &self,
        section: usize,
        ord: u32,
        depends_on: &[Dependency],
        dice: Dice,
        roll: &mut Roll,
    ) -> String {
        let mut own = dice.roll("size of job", &format_args!("{section}/{ord}"));
        let at = weighted(self.sizes.iter().map(|size| size.weight), &mut own).unwrap_or(0);
        let Some(size) = self.sizes.get(at) else { return String::new() };
        let duration = size.stretched(self.duration.draw(roll));
        let exit_code = self.draw_exit_code(roll);
        let is_oom = roll.happens(self.oom);
        let ignores_sigterm = roll.happens(self.ignores_sigterm);
        let command = self
            .command
            .clone()
            .or_else(|| self.children_command(size))
            .unwrap_or_else(|| command(duration, exit_code, is_oom, ignores_sigterm));

        let mut requirements = requirements(size);
        requirements.truncate(if 0 < size.gpus { 3 } else { 2 });
        let mut spillway = json!({"clientToken": self.client_token(section, ord)});
        if let Some(architecture) = &self.architecture {
            spillway["architecture"] = json!(architecture);
        }
        if !self.gpu_kinds.is_empty() {
            spillway["gpuKinds"] = json!(self.gpu_kinds);
        }
        if let Some(market) = &self.market {
            spillway["market"] = json!(market);
        }
        if let Some(secs) = self.estimate.draw(duration, &mut own) {
            spillway["expectedDurationSeconds"] = json!(secs);
        }
        let fate = Fate { duration, exit_code, is_oom, ignores_sigterm };
        if !self.variants.is_empty() {
            let of_rule = |rule: &VariantRule| self.variant(rule, fate, &spillway);
            spillway["variants"] = self.variants.iter().map(of_rule).collect();
        }
        let container = json!({
            "image": self.image,
            "command": command,
            "resourceRequirements": requirements,
        });
        let definition = match self.nodes {
            None => json!({"type": "container", "containerProperties": container}),
            Some(n) => json!({
                "type": "multinode",
                "nodeProperties": {
                    "numNodes": n,
                    "mainNode": 0,
                    "nodeRangeProperties": [{"targetNodes": "0:", "container": container}],
                },
            }),
        };
        let mut message = json!({
            "jobName": self.name,
            "jobQueue": self.queue,
            "jobDefinition": definition,
            "spillway": spillway,
        });
        if let Some(attempts) = self.attempts {
            message["retryStrategy"] = json!({"attempts": attempts});
        }
        if let Some(timeout) = self.timeout {
            message["timeout"] = json!({"attemptDurationSeconds": timeout.as_secs()});
        }
        self.relate(&mut message, depends_on);
        self.schedule(&mut message);
        message.to_string()
    }

    /// Adds what the job says of its place among others.
    fn schedule(&self, message: &mut Value) {
        let Scheduling { share, priority, consumes } = &self.scheduling;
        if let Some(share) = share {
            message["shareIdentifier"] = json!(share);
        }
        if *priority != 0 {
            message["schedulingPriorityOverride"] = json!(priority);
        }
        if !consumes.is_empty() {
            let item = |(name, quantity): (&ConsumableName, &u64)| json!({"consumableResource": name, "quantity": quantity});
            let list: Vec<Value> = consumes.iter().map(item).collect();
            message["consumableResourcePropertiesOverride"] =
                json!({"consumableResourceList": list});
        }
    }

    /// Adds what the job has to do with others.
    fn relate(&self, message: &mut Value, depends_on: &[Dependency]) {
        let ids = |kind: DependencyKind| -> Vec<JobId> {
            depends_on.iter().filter(|d| d.kind == kind).map(|d| d.job).collect()
        };
        let mut list: Vec<Value> =
            ids(DependencyKind::AfterOk).iter().map(|id| json!({"jobId": id})).collect();
        let pairs = ids(DependencyKind::NToN);
        list.extend(pairs.iter().map(|id| json!({"jobId": id, "type": "N_TO_N"})));
        if let Some(array) = self.array {
            message["arrayProperties"] = json!({"size": array.indexes.size});
            message["spillway"]["array"] = json!({
                "first": array.indexes.first,
                "step": array.indexes.step,
                "maxConcurrency": array.max_concurrency,
            });
            if let Some(CoalesceRule { size, parallel }) = self.coalesce {
                message["spillway"]["coalesce"] = json!({"size": size, "parallel": parallel});
            }
            list.extend(array.sequential.then(|| json!({"type": "SEQUENTIAL"})));
        }
        if !list.is_empty() {
            message["dependsOn"] = json!(list);
        }
        for (key, kind) in
            [("afterAny", DependencyKind::AfterAny), ("afterNotOk", DependencyKind::AfterNotOk)]
        {
            let ids = ids(kind);
            if !ids.is_empty() {
                message["spillway"][key] = json!(ids);
            }
        }
    }

    /// The one command of an array's children, with which each takes its own time and ends in its own way: in whole seconds,
    /// evenly between the ends of the duration, where it has ends.
    fn children_command(&self, size: &Size) -> Option<Vec<String>> {
        self.array?;
        let Distribution::Even(spread) = self.duration else { return None };
        let min = size.stretched(spread.min).as_secs();
        let n = (size.stretched(spread.max).as_secs() - min).max(0) + 1;
        let total: u32 = self.exits.iter().map(|(_, weight)| *weight).sum();
        let sleep = format!("sleep $(({min} + RANDOM % {n}))");
        let exit = |is_zero: bool| self.exits.iter().find(|(code, _)| (*code == 0) == is_zero);
        let script = match (exit(true), exit(false)) {
            (Some((_, zero)), Some((code, _))) => {
                format!("{sleep}; test $((RANDOM % {total})) -lt {zero} || exit {code}")
            }
            (_, Some((code, _))) => format!("{sleep}; exit {code}"),
            (_, None) => sleep,
        };
        Some(vec!["sh".to_owned(), "-c".to_owned(), script])
    }

    fn client_token(&self, section: usize, ord: u32) -> String {
        format!("{section}-{}-{ord:05}", self.name)
    }

    /// The order to end the `ord`-th job, if there is to be one.
    fn end_order(
        &self,
        section: usize,
        ord: u32,
        sent: Timestamp,
        roll: &mut Roll,
    ) -> Option<Sent> {
        let action = if roll.happens(self.cancel) {
            "CancelJob"
        } else if roll.happens(self.terminate) {
            "TerminateJob"
        } else {
            return None;
        };
        let job = JobId::derive(&self.queue, &self.client_token(section, ord));
        let body = json!({
            "jobId": job,
            "reason": "no longer needed",
            "spillway": {"action": action},
        });
        Some(Sent { at: sent + roll.within(self.end_after), body: body.to_string() })
    }

    fn draw_exit_code(&self, roll: &mut Roll) -> u8 {
        let drawn = weighted(self.exits.iter().map(|(_, weight)| *weight), roll);
        drawn.and_then(|at| self.exits.get(at)).map_or(0, |(code, _)| *code)
    }
}

/// A command that does this, in the words that [`crate::behaviour`] reads.
fn command(
    duration: SignedDuration,
    exit_code: u8,
    is_oom: bool,
    ignores_sigterm: bool,
) -> Vec<String> {
    let (secs, millis) = (duration.as_secs(), duration.subsec_millis());
    let trap = if ignores_sigterm { "trap '' TERM; " } else { "" };
    let end = match exit_code {
        _ if is_oom => "; tail /dev/zero".to_owned(),
        0 => String::new(),
        code => format!("; exit {code}"),
    };
    let script = format!("{trap}sleep {secs}.{millis:03}{end}");
    vec!["sh".to_owned(), "-c".to_owned(), script]
}

/// vCPUs as Batch writes them, in thousandths; never less than asked for.
fn vcpus_text(cpu: CpuUnits) -> String {
    let milli = (u64::from(cpu.get()) * 1000).div_ceil(1024);
    let text = format!("{}.{:03}", milli / 1000, milli % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviour::Behaviour;

    #[test]
    fn a_generated_command_does_what_was_drawn() {
        let duration = SignedDuration::from_millis(12_345);

        let plain = Behaviour::of_command(&command(duration, 3, false, false), None);
        let oom = Behaviour::of_command(&command(duration, 0, true, true), None);

        assert_eq!(plain, Behaviour::exits(duration, 3));
        assert!(oom.oom && oom.ignores_sigterm);
    }

    #[test]
    fn vcpus_are_written_exactly() {
        assert_eq!(vcpus_text(CpuUnits::from_vcpus(4)), "4");
        assert_eq!(vcpus_text(CpuUnits::new(256)), "0.25");
        assert_eq!(vcpus_text(CpuUnits::new(103)), "0.101");
    }
}
