//! `ListJobs`: pages by where they ended, so that what comes meanwhile moves nothing. Jobs that the ledger does not have yet come
//! first.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;
use spillway_core::{DefinitionRef, Glob, Job, JobFilter, JobId};

use super::api::{Api, Call};
use super::detail::Words;
use super::names;
use super::refusal::Refusal;
use crate::ledger::Reader;

/// The most jobs of one page, without filters and with some (AWS Batch API reference, `ListJobs.maxResults`).
const PAGE_JOBS_MAX: usize = 1_000;
const PAGE_FILTERED_JOBS_MAX: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListJobs {
    job_queue: Option<String>,
    array_job_id: Option<String>,
    multi_node_job_id: Option<String>,
    job_status: Option<JobStatus>,
    max_results: Option<usize>,
    next_token: Option<String>,
    filters: Option<Vec<NameAndValues>>,
}

#[derive(Debug, Deserialize)]
struct NameAndValues {
    name: String,
    values: Vec<String>,
}

/// Which jobs are meant: what the ledger finds by its indexes, and what is left to look at.
#[derive(Debug, Clone, Default, PartialEq)]
struct Wanted {
    filter: JobFilter,
    definition: Option<Pattern>,
    /// In milliseconds, both exclusive.
    created_after: Option<i64>,
    created_before: Option<i64>,
}

/// A text, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    is_beginning: bool,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let beginning = text.strip_suffix('*');
        Self { text: beginning.unwrap_or(text).to_owned(), is_beginning: beginning.is_some() }
    }

    fn matches(&self, text: &str) -> bool {
        if self.is_beginning { text.starts_with(&self.text) } else { text == self.text }
    }
}

/// `ListJobs`.
pub(super) async fn list(api: &Api, call: Call) -> Result<Value, Refusal> {
    let asked: ListJobs = call.read()?;
    let limit = limit(&asked)?;
    let after = asked.next_token.as_deref().map(after).transpose()?;
    let wanted = Wanted::of(&asked)?;
    let on_their_way: Vec<Arc<Job>> = if wanted.filter.array.is_some() {
        Vec::new()
    } else {
        let sent = api.sent().newest_first();
        sent.into_iter().filter(|job| wanted.is_met_by(job)).collect()
    };
    let page = api.read(move |reader| page(reader, &wanted, on_their_way, after, limit)).await?;
    let page = page.ok_or_else(|| Refusal::client("nextToken: it is none that ListJobs gave"))?;
    for id in &page.arrived {
        api.sent().forget(*id);
    }
    let words = Words { names: &api.names, has_logs: api.config.log_group.is_some() };
    let summaries: Vec<Value> = page.jobs.iter().map(|job| words.summary(job)).collect();
    let mut answer = json!({ "jobSummaryList": summaries });
    if let Some(next) = page.next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

fn limit(asked: &ListJobs) -> Result<usize, Refusal> {
    let has_filters = asked.filters.as_ref().is_some_and(|filters| !filters.is_empty());
    let most = if has_filters { PAGE_FILTERED_JOBS_MAX } else { PAGE_JOBS_MAX };
    match asked.max_results {
        Some(0) => Err(Refusal::client("maxResults: it is at least 1")),
        Some(n) => Ok(n.min(most)),
        None => Ok(most),
    }
}

fn after(token: &str) -> Result<JobId, Refusal> {
    token.parse().map_err(|_| Refusal::client("nextToken: it is none that ListJobs gave"))
}

impl Wanted {
    fn of(asked: &ListJobs) -> Result<Self, Refusal> {
        let mut wanted = Self::default();
        match (&asked.job_queue, &asked.array_job_id, &asked.multi_node_job_id) {
            (Some(queue), None, None) => wanted.filter.queue = Some(names::queue(queue)?),
            (None, Some(whole), None) | (None, None, Some(whole)) => {
                wanted.filter.array = Some(names::job(whole)?);
            }
            (None, None, None)
            | (Some(_), Some(_), _)
            | (Some(_), _, Some(_))
            | (_, Some(_), Some(_)) => {
                let what = "give exactly one of jobQueue, arrayJobId and multiNodeJobId";
                return Err(Refusal::client(what));
            }
        }
        let filters = asked.filters.as_deref().unwrap_or_default();
        for filter in filters {
            wanted.add(filter)?;
        }
        // As Batch has it: unsaid is RUNNING, and a filter means all states, unless it is that of the share.
        let is_of_share = |filter: &NameAndValues| filter.name == "SHARE_IDENTIFIER";
        if filters.iter().all(is_of_share) {
            let unsaid = filters.is_empty().then_some(JobStatus::Running);
            wanted.filter.statuses = asked.job_status.or(unsaid).into_iter().collect();
        }
        Ok(wanted)
    }

    fn add(&mut self, filter: &NameAndValues) -> Result<(), Refusal> {
        let NameAndValues { name, values } = filter;
        let [value] = values.as_slice() else {
            return Err(Refusal::client(format!("filters: {name} takes one value")));
        };
        match name.as_str() {
            "JOB_NAME" => self.filter.name = Some(Glob::of_any_case(value)),
            "JOB_DEFINITION" if value.ends_with('*') => self.definition = Some(Pattern::new(value)),
            "JOB_DEFINITION" => {
                let DefinitionRef { name, revision } = names::definition(value)?;
                self.filter.definition = Some(DefinitionRef { name, revision });
            }
            "SHARE_IDENTIFIER" => self.filter.share = Some(Glob::new(value)),
            "AFTER_CREATED_AT" => {
                let (millis, second) = moment(name, value)?;
                self.created_after = Some(millis);
                self.filter.submitted.from = Some(second);
            }
            "BEFORE_CREATED_AT" => {
                let (millis, second) = moment(name, value)?;
                self.created_before = Some(millis);
                // The ledger tells whole seconds apart: those of its last one are looked at one by one.
                self.filter.submitted.until = second.checked_add(SignedDuration::from_secs(1)).ok();
            }
            other => {
                return Err(Refusal::client(format!(
                    "filters: {other:?} is none of JOB_NAME, JOB_DEFINITION, SHARE_IDENTIFIER, AFTER_CREATED_AT and \
                     BEFORE_CREATED_AT"
                )));
            }
        }
        Ok(())
    }

    /// Whether the ledger's filter is not the whole of it.
    const fn has_rest(&self) -> bool {
        self.definition.is_some() || self.created_after.is_some() || self.created_before.is_some()
    }

    /// What the ledger's filter does not ask.
    fn meets_rest(&self, job: &Job) -> bool {
        let definition = job.spec.definition.as_ref().map_or("", |name| name.as_str());
        let created = job.created_at.as_millisecond();
        self.definition.as_ref().is_none_or(|wanted| wanted.matches(definition))
            && self.created_after.is_none_or(|after| after < created)
            && self.created_before.is_none_or(|before| created < before)
    }

    fn is_met_by(&self, job: &Job) -> bool {
        self.filter.matches(job) && self.meets_rest(job)
    }
}

/// A time in milliseconds since 1970, and the same for the ledger.
fn moment(name: &str, value: &str) -> Result<(i64, Timestamp), Refusal> {
    let wrong = || Refusal::client(format!("filters: {name} takes milliseconds since 1970"));
    let millis: i64 = value.parse().map_err(|_| wrong())?;
    Ok((millis, Timestamp::from_millisecond(millis).map_err(|_| wrong())?))
}

/// A page of jobs.
#[derive(Debug)]
struct Page {
    jobs: Vec<Arc<Job>>,
    /// Where the next one begins, if there is one.
    next: Option<JobId>,
    /// Those that are on their way no more.
    arrived: Vec<JobId>,
}

/// The page behind `after`; none if that is not known.
fn page(
    reader: &Reader,
    wanted: &Wanted,
    on_their_way: Vec<Arc<Job>>,
    after: Option<JobId>,
    limit: usize,
) -> Result<Option<Page>, LedgerError> {
    let (mut arrived, mut jobs) = (Vec::new(), Vec::new());
    for job in on_their_way {
        if reader.job(job.id)?.is_some() {
            arrived.push(job.id);
        } else {
            jobs.push(job);
        }
    }
    let mut filter = wanted.filter.clone();
    if let Some(after) = after {
        if let Some(at) = jobs.iter().position(|job| job.id == after) {
            jobs.drain(..=at);
        } else if reader.job(after)?.is_some() {
            jobs.clear();
            filter.after = Some(after);
        } else {
            return Ok(None);
        }
    }
    while jobs.len() <= limit {
        // One more than is shown tells whether there is more.
        filter.limit =
            if wanted.has_rest() { PAGE_JOBS_MAX } else { limit.saturating_add(1) - jobs.len() };
        let found = reader.jobs(&filter)?;
        let is_last = found.len() < filter.limit;
        filter.after = found.last().map(|job| job.id).or(filter.after);
        let met = found.into_iter().filter(|job| wanted.meets_rest(job));
        jobs.extend(met.map(Arc::new));
        if is_last {
            break;
        }
    }
    let has_more = limit < jobs.len();
    jobs.truncate(limit);
    let next = jobs.last().filter(|_| has_more).map(|job| job.id);
    Ok(Some(Page { jobs, next, arrived }))
}

#[cfg(test)]
mod tests {
    use serde_json::from_value;

    use super::super::detail::tests::job;
    use super::*;

    fn wanted(request: Value) -> Result<Wanted, String> {
        let asked = from_value(request).map_err(|error| error.to_string())?;
        Wanted::of(&asked).map_err(|refusal| refusal.message)
    }

    #[test]
    fn unsaid_is_running_and_a_filter_means_all_states() {
        let statuses = |more: Value| {
            let mut request = json!({"jobQueue": "default"});
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            wanted(request).unwrap().filter.statuses
        };
        let filter = |name: &str| json!([{"name": name, "values": ["a"]}]);

        assert_eq!(statuses(json!({})), [JobStatus::Running]);
        assert_eq!(statuses(json!({"jobStatus": "FAILED"})), [JobStatus::Failed]);
        assert_eq!(statuses(json!({"jobStatus": "FAILED", "filters": filter("JOB_NAME")})), []);
        let of_share = json!({"jobStatus": "FAILED", "filters": filter("SHARE_IDENTIFIER")});
        assert_eq!(statuses(of_share), [JobStatus::Failed]);
    }

    #[test]
    fn filters_are_batchs_and_all_must_hold() {
        let of =
            |filters: Value| wanted(json!({"jobQueue": "default", "filters": filters})).unwrap();
        let one = |name: &str, value: &str| json!({"name": name, "values": [value]});
        let table = [
            (vec![one("JOB_NAME", "ALI*")], true),
            (vec![one("JOB_NAME", "ali")], false),
            (vec![one("JOB_DEFINITION", "align")], true),
            (vec![one("JOB_DEFINITION", "al*")], true),
            (vec![one("JOB_DEFINITION", "Al*")], false),
            (vec![one("SHARE_IDENTIFIER", "team")], true),
            (vec![one("SHARE_IDENTIFIER", "default")], false),
            (vec![one("AFTER_CREATED_AT", "-1"), one("BEFORE_CREATED_AT", "1")], true),
            (vec![one("AFTER_CREATED_AT", "0")], false),
            (vec![one("BEFORE_CREATED_AT", "0")], false),
            (vec![one("JOB_NAME", "align"), one("SHARE_IDENTIFIER", "other")], false),
        ];

        for (filters, is_met) in table {
            assert_eq!(of(json!(filters)).is_met_by(&job()), is_met, "{filters:?}");
        }
    }

    #[test]
    fn what_batch_refuses_is_refused() {
        let queue = |more: Value| {
            let mut request = json!({"jobQueue": "default"});
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            wanted(request)
        };

        assert!(wanted(json!({})).is_err() && queue(json!({"arrayJobId": "x"})).is_err());
        assert!(queue(json!({"jobStatus": "DONE"})).is_err());
        for name in ["AFTER_CREATED_AT", "NAME"] {
            assert!(
                queue(json!({"filters": [{"name": name, "values": ["x"]}]})).is_err(),
                "{name}"
            );
        }
        assert!(queue(json!({"filters": [{"name": "JOB_NAME", "values": []}]})).is_err());
        let asked = ListJobs { max_results: Some(0), ..ListJobs::default() };
        assert!(limit(&asked).is_err());
        assert_eq!(limit(&ListJobs { max_results: Some(5_000), ..asked }), Ok(PAGE_JOBS_MAX));
    }
}
