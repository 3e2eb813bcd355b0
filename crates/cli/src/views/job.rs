//! Jobs as people and scripts see them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use spillway_core::job::JobStatus;
use spillway_core::{Expectation, Host, HostId, Job, JobId, message};

use super::array::{ArrayView, DependsOn};
use super::asked;
use super::attempt::{AttemptView, LiveView, attempts_table};
use super::container::{self, ContainerView};
use super::expected::ExpectedView;
use super::nodes::{self, NodeView};
use super::timeline::{Moment, timeline, timeline_table};
use super::variant::{self, VariantView};
use super::{span_text, time_text, usd, usd_text};
use crate::output::{Field, Lines, Page, Rows, Tone, View};
use crate::why;

/// What a job needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResourcesView {
    /// vCPUs, down to 1/1024.
    pub vcpus: f64,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Whole GPUs.
    pub gpus: u32,
}

impl From<&spillway_core::Resources> for ResourcesView {
    fn from(resources: &spillway_core::Resources) -> Self {
        Self {
            vcpus: resources.cpu.as_vcpus_f64(),
            memory_mib: resources.memory.get(),
            gpus: resources.gpus,
        }
    }
}

/// A job in a list.
#[derive(Debug, Clone, Serialize)]
pub struct JobRow {
    /// Its id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its queue.
    pub queue: String,
    /// AWS Batch's state.
    pub status: JobStatus,
    /// Why it is so, where there is a why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// What it needs.
    pub resources: ResourcesView,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// How many attempts have ended.
    pub n_attempts: usize,
    /// The last attempt's exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What its ended attempts cost.
    pub cost_usd: f64,
    #[serde(skip)]
    need: String,
    #[serde(skip)]
    cost: String,
}

impl From<&Job> for JobRow {
    fn from(job: &Job) -> Self {
        Self {
            id: job.id,
            name: job.spec.name.to_string(),
            queue: job.spec.queue.to_string(),
            status: job.state.status(),
            status_reason: status_reason(job),
            resources: (&job.spec.resources).into(),
            created_at: job.created_at,
            stopped_at: job.state.ended_at(),
            n_attempts: job.attempts.len(),
            exit_code: job.attempts.last().and_then(|attempt| attempt.exit_code),
            cost_usd: usd(job.cost()),
            need: job.spec.resources.to_string(),
            cost: usd_text(job.cost()),
        }
    }
}

/// Why a job stands where it stands: the reason of its end, else that of the attempt before.
pub(crate) fn status_reason(job: &Job) -> Option<String> {
    let reason = job.reason()?;
    let last = job.attempts.last().filter(|_| !job.state.status().is_terminal());
    Some(last.map_or_else(|| reason.to_owned(), |a| format!("attempt {} ended: {reason}", a.ord)))
}

/// The tone a state is shown in.
pub(crate) const fn tone(status: JobStatus) -> Tone {
    match status {
        JobStatus::Submitted | JobStatus::Pending | JobStatus::Runnable => Tone::Plain,
        JobStatus::Starting | JobStatus::Running => Tone::Busy,
        JobStatus::Succeeded => Tone::Good,
        JobStatus::Failed => Tone::Bad,
    }
}

/// How many jobs there are in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StatusCount {
    /// The state.
    pub status: JobStatus,
    /// How many.
    pub count: u64,
}

/// The counts that are not zero, `3 RUNNING, 1 FAILED`.
pub(crate) fn counts_text(counts: &[StatusCount]) -> String {
    let some = counts.iter().filter(|c| c.count != 0);
    let texts: Vec<String> = some.map(|c| format!("{} {}", c.count, c.status)).collect();
    if texts.is_empty() { "no jobs".to_owned() } else { texts.join(", ") }
}

/// The answer of `jobs list`.
#[derive(Debug, Serialize)]
pub struct JobList {
    /// The jobs, newest first.
    pub jobs: Vec<JobRow>,
    /// The last of them, if there are more: the next page is what comes after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<JobId>,
    /// How many there are in each state, whatever was asked for.
    pub counts: Vec<StatusCount>,
}

impl View for JobList {
    fn page(&self, page: &mut Page) {
        let header =
            ["ID", "NAME", "QUEUE", "STATUS", "NEEDS", "CREATED", "ATTEMPTS", "EXIT", "COST"];
        let mut table = Rows::new(&header);
        for job in &self.jobs {
            table.row([
                job.id.to_string().into(),
                job.name.as_str().into(),
                job.queue.as_str().into(),
                Field::toned(job.status.to_string(), tone(job.status)),
                job.need.as_str().into(),
                time_text(job.created_at).into(),
                job.n_attempts.to_string().into(),
                job.exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string()).into(),
                job.cost.as_str().into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.jobs.iter().try_for_each(|job| lines.item(job))
    }
}

/// The answer of `jobs show`.
#[derive(Debug, Serialize)]
pub struct JobView {
    /// The job as in a list.
    pub job: JobRow,
    /// The job definition it was made from: its name, and its revision if it is a registered one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// The image.
    pub image: String,
    /// The command; empty is the image's own.
    pub command: Vec<String>,
    /// Its containers, if it has several; image and command are those of the main one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerView>,
    /// Other ways to run it, in their order, the first with number 1; what is said beside is 0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantView>,
    /// The architecture asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<spillway_core::Arch>,
    /// The kinds of GPU it accepts; none is any.
    #[serde(skip_serializing_if = "spillway_core::GpuKinds::is_any")]
    pub gpu_kinds: spillway_core::GpuKinds,
    /// Where it may run.
    pub market: spillway_core::MarketRule,
    /// How many attempts may fail through its own fault.
    pub attempts_max: u8,
    /// How long one attempt may run, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<i64>,
    /// How long it is expected to run, unless it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedView>,
    /// How long it may wait to be run cheaply, in seconds, as it says or as its queue does.
    pub patience_s: i64,
    /// When it should have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Of an array its children; of a child its place among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub array: Option<ArrayView>,
    /// Of a multi-node job how many nodes it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_nodes: Option<u32>,
    /// Those of them that have ever been given to a host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeView>,
    /// The jobs it waits for, or waited for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependsOn>,
    /// Every attempt that has ended, oldest first.
    pub attempts: Vec<AttemptView>,
    /// The attempt that is on a host now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveView>,
    /// Everything that happened to it, in order of time.
    pub timeline: Vec<Moment>,
    /// What was odd about its message.
    pub warnings: Vec<String>,
    /// For a job that waits: why, with numbers.
    pub waiting: Vec<String>,
    /// The message that asks for all of it.
    pub message: Value,
    #[serde(skip)]
    asked: Vec<(&'static str, String)>,
}

impl JobView {
    /// The view of a job; `hosts` are those that it was on, `waiting` says why it is on none.
    pub fn new(
        job: &Job,
        hosts: &BTreeMap<HostId, Host>,
        waiting: Vec<String>,
        expected: Option<Expectation>,
        queue_patience: SignedDuration,
        array: Option<ArrayView>,
    ) -> Self {
        let spec = &job.spec;
        let started_at = job.state.running_since();
        let live = job.state.live_attempt().map(|live| LiveView {
            attempt: live.ord.get(),
            variant: live.variant,
            host: hosts.get(&live.host).map_or_else(|| live.host.to_string(), why::host_text),
            price_usd_per_hour: hosts.get(&live.host).map(|host| host.price.as_usd_f64()),
            placed_at: live.placed_at,
            started_at,
            shared_by: live.shared.as_ref().map(|shared| shared.n.get()),
            stopping: live.stop.as_ref().map(|stop| stop.cause.reason()),
        });
        Self {
            job: job.into(),
            definition: asked::definition(spec),
            image: spec.container.image.clone(),
            command: spec.container.command.clone(),
            containers: container::containers(spec),
            variants: variant::of(spec),
            arch: spec.arch,
            gpu_kinds: spec.gpu_kinds,
            market: spec.market,
            attempts_max: spec.attempts,
            timeout_s: spec.attempt_timeout.map(|span| span.as_secs()),
            expected: expected.map(Into::into),
            patience_s: spec
                .patience
                .or(spec.deadline.is_none().then_some(queue_patience))
                .map_or(0, |patience| patience.as_secs()),
            deadline: spec.deadline,
            tags: spec.tags.clone(),
            array,
            n_nodes: spec.gang.as_ref().map(|gang| gang.n_nodes()),
            nodes: Vec::new(),
            depends_on: spec.depends_on.iter().map(DependsOn::from).collect(),
            attempts: job
                .attempts
                .iter()
                .map(|attempt| AttemptView::new(attempt, hosts.get(&attempt.host)))
                .collect(),
            live,
            timeline: timeline(job, hosts),
            warnings: job.warnings.clone(),
            waiting,
            message: message::submit_again(spec, None),
            asked: asked::fields(spec),
        }
    }
}

impl View for JobView {
    fn page(&self, page: &mut Page) {
        let job = &self.job;
        page.field("Job", job.id.to_string());
        page.field("Name", job.name.as_str());
        page.field("Queue", job.queue.as_str());
        page.field("Status", Field::toned(job.status.to_string(), tone(job.status)));
        if let Some(reason) = &job.status_reason {
            page.field("Reason", reason.as_str());
        }
        page.field("Needs", self.need_text());
        if let Some(expected) = &self.expected {
            page.field("Expected", expected.text());
        }
        if 0 < self.patience_s {
            let span = span_text(SignedDuration::from_secs(self.patience_s));
            page.field("Patience", format!("may wait {span} to be run cheaply"));
        }
        if let Some(deadline) = self.deadline {
            page.field("Deadline", time_text(deadline));
        }
        page.field("Image", self.image.as_str());
        if !self.command.is_empty() {
            page.field("Command", shell_words(&self.command));
        }
        for (name, text) in &self.asked {
            page.field(name, text.as_str());
        }
        container::fields(&self.containers, page);
        for variant in &self.variants {
            page.field("Variant", variant.text());
        }
        if let Some(array) = &self.array {
            array.fields(page);
        }
        if let Some(n_nodes) = self.n_nodes {
            nodes::fields(&self.nodes, n_nodes, page);
        }
        for depends_on in &self.depends_on {
            page.field("Depends on", depends_on.text());
        }
        for (name, value) in &self.tags {
            page.field("Tag", format!("{name}={value}"));
        }
        page.field("Created", time_text(job.created_at));
        if let Some(at) = job.stopped_at {
            let after = span_text(at.duration_since(job.created_at));
            page.field("Ended", format!("{} (after {after})", time_text(at)));
        }
        page.field("Cost", job.cost.as_str());
        for warning in &self.warnings {
            page.field("Warning", Field::toned(warning.as_str(), Tone::Warning));
        }
        for reason in &self.waiting {
            page.field("Waiting", reason.as_str());
        }
        if let Some(live) = &self.live {
            let variant = if live.variant.is_base() {
                String::new()
            } else {
                format!(", variant {}", live.variant)
            };
            page.field("On host", format!("{}, attempt {}{variant}", live.host, live.attempt));
            if let Some(why) = &live.stopping {
                page.field("Stopping", Field::toned(why.as_str(), Tone::Warning));
            }
        }
        page.table(attempts_table(&self.attempts));
        let ends = self.attempts.iter().map(|a| (a.attempt, a.containers.as_slice()));
        if let Some(table) = container::ends_table(ends) {
            page.table(table);
        }
        page.table(timeline_table(&self.timeline));
    }
}

impl JobView {
    fn need_text(&self) -> String {
        let arch = self.arch.map(|arch| format!(", {arch}")).unwrap_or_default();
        let kinds =
            if self.gpu_kinds.is_any() { String::new() } else { format!(" ({})", self.gpu_kinds) };
        let timeout = self
            .timeout_s
            .map(|s| format!(", at most {}", span_text(SignedDuration::from_secs(s))));
        format!(
            "{}{kinds}{arch}, market {}, {} attempt{}{}",
            self.job.need,
            self.market,
            self.attempts_max,
            if self.attempts_max == 1 { "" } else { "s" },
            timeout.unwrap_or_default()
        )
    }
}

/// A command as it can be pasted into a shell.
pub(crate) fn shell_words(command: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quote = |word: &String| {
        if !word.is_empty() && word.chars().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    command.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_quoted_where_a_shell_would_break_it() {
        let command = ["sh", "-c", "exit 3", "it's"].map(str::to_owned);

        assert_eq!(shell_words(&command), "sh -c 'exit 3' 'it'\\''s'");
    }

    #[test]
    fn counts_leave_out_what_there_is_none_of() {
        let count = |status, count| StatusCount { status, count };

        let text = counts_text(&[count(JobStatus::Running, 2), count(JobStatus::Failed, 0)]);

        assert_eq!(text, "2 RUNNING");
        assert_eq!(counts_text(&[]), "no jobs");
    }
}
