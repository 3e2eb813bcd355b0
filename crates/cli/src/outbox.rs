//! Jobs on their way to the queue: drafts from flags or a file, made complete and checked as the dispatcher will check
//! them. It must never let one through that the dispatcher would refuse.

pub(crate) mod file;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use spillway_core::job::BodyHash;
use spillway_core::message::{self, Request};
use spillway_core::{JobId, QueueName};

use crate::error::Complaint;

/// So many flaws are named one by one.
const FLAWS_SHOWN: usize = 20;

/// A message that is not complete yet, and where it was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    /// `jobs.jsonl:3`; empty for one made from flags.
    pub(crate) place: String,
    /// What is there so far.
    pub(crate) message: Value,
}

/// A message that can be sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Letter {
    /// Where it was found.
    pub(crate) place: String,
    /// The id of the job it will be.
    pub(crate) id: JobId,
    /// The job's name.
    pub(crate) name: String,
    /// The job's queue.
    pub(crate) queue: QueueName,
    /// The message.
    pub(crate) body: String,
    /// What is odd about it.
    pub(crate) warnings: Vec<String>,
}

/// Why a draft is no job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Where.
    pub(crate) place: String,
    /// What is wrong, with the JSON path in it.
    pub(crate) reason: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// What drafts are completed with.
pub(crate) struct Completion<'a> {
    /// The queues that the dispatcher takes jobs of.
    pub(crate) queues: &'a [QueueName],
    /// The queue of drafts that name none.
    pub(crate) queue: &'a QueueName,
    /// Draws the client token of a draft that has none.
    pub(crate) draw_token: &'a dyn Fn() -> String,
}

impl Completion<'_> {
    /// Completes and checks all drafts. If one is flawed, none is good: the complaint names every flaw.
    pub(crate) fn letters(
        &self,
        drafts: Vec<Result<Draft, Flaw>>,
    ) -> Result<Vec<Letter>, Complaint> {
        let n_drafts = drafts.len();
        let mut letters = Vec::with_capacity(n_drafts);
        let mut flaws = Vec::new();
        let mut known: BTreeMap<JobId, (String, BodyHash)> = BTreeMap::new();
        for draft in drafts {
            match draft.and_then(|draft| self.letter(draft)) {
                Ok((letter, hash)) => match known.get(&letter.id) {
                    Some((place, known)) if *known != hash => flaws.push(Flaw {
                        reason: format!("its client token is that of another job, at {place}"),
                        place: letter.place,
                        hint: Some("one token is one job: give each its own".to_owned()),
                    }),
                    _ => {
                        known.insert(letter.id, (letter.place.clone(), hash));
                        letters.push(letter);
                    }
                },
                Err(flaw) => flaws.push(flaw),
            }
        }
        if flaws.is_empty() { Ok(letters) } else { Err(complaint(flaws, n_drafts)) }
    }

    fn letter(&self, draft: Draft) -> Result<(Letter, BodyHash), Flaw> {
        let Draft { place, mut message } = draft;
        if let Value::Object(fields) = &mut message {
            self.complete(fields);
        }
        let body = message.to_string();
        let flaw = |place, reason: String, hint: Option<String>| Flaw { place, reason, hint };
        // What is registered only the dispatcher knows; all else of the message is checked here.
        let parsed = match message::parse_with(&body, &message::StandIn) {
            Ok(parsed) => parsed,
            Err(rejection) => return Err(flaw(place, rejection.reason, rejection.hint)),
        };
        let (spec, client_token) = match parsed.request {
            Request::Submit { spec, client_token } => (spec, client_token),
            Request::Register { .. } | Request::Deregister { .. } => {
                let hint = "use `spillway definitions`".to_owned();
                return Err(flaw(place, "it is about a job definition".to_owned(), Some(hint)));
            }
            Request::Schedule(_) => {
                let hint = "use `spillway schedules`".to_owned();
                return Err(flaw(place, "it is about a schedule".to_owned(), Some(hint)));
            }
            Request::Pause { .. } => {
                let hint = "use `spillway queues` or `spillway pools`".to_owned();
                return Err(flaw(
                    place,
                    "it is an order to pause or resume".to_owned(),
                    Some(hint),
                ));
            }
            Request::ResetBreaker { .. } => {
                let hint = "use `spillway breakers`".to_owned();
                return Err(flaw(place, "it is an order about a breaker".to_owned(), Some(hint)));
            }
            Request::ApproveBurst { .. } => {
                let hint = "use `spillway approve`".to_owned();
                return Err(flaw(
                    place,
                    "it is an order to approve a burst".to_owned(),
                    Some(hint),
                ));
            }
            Request::Cancel { .. } | Request::Terminate { .. } => {
                let hint = "use `spillway cancel` or `spillway terminate`".to_owned();
                return Err(flaw(place, "it is an order to end a job".to_owned(), Some(hint)));
            }
        };
        // An envelope hides the message that the token was put into.
        let Some(token) = client_token else {
            let hint = "send the message itself, without an envelope".to_owned();
            return Err(flaw(place, "it is wrapped in an envelope".to_owned(), Some(hint)));
        };
        if !self.queues.contains(&spec.queue) {
            let names: Vec<&str> = self.queues.iter().map(QueueName::as_str).collect();
            let reason = format!("jobQueue: there is no queue {:?}", spec.queue.as_str());
            let hint =
                format!("the queues are {} (`queues` of the configuration)", names.join(", "));
            return Err(flaw(place, reason, Some(hint)));
        }
        let id = JobId::derive(&spec.queue, &token);
        let name = spec.name.to_string();
        let (queue, warnings) = (spec.queue, parsed.warnings);
        Ok((Letter { place, id, name, queue, body, warnings }, parsed.body_hash))
    }

    /// Fills in the queue and the token where there is none.
    fn complete(&self, fields: &mut Map<String, Value>) {
        fields.entry("jobQueue").or_insert_with(|| json!(self.queue));
        let own = fields.entry("spillway").or_insert_with(|| json!({}));
        if let Value::Object(own) = own {
            own.entry("clientToken").or_insert_with(|| json!((self.draw_token)()));
        }
    }
}

fn complaint(mut flaws: Vec<Flaw>, n_drafts: usize) -> Complaint {
    let named = |flaw: &Flaw| match flaw.place.as_str() {
        "" => flaw.reason.clone(),
        place => format!("{place}: {}", flaw.reason),
    };
    if let [flaw] = flaws.as_mut_slice() {
        let hint = flaw.hint.take();
        let tail = if n_drafts == 1 { "" } else { " (nothing was sent)" };
        return Complaint { hint, ..Complaint::usage(format!("{}{tail}", named(flaw))) };
    }
    let n_flaws = flaws.len();
    let head = format!("{n_flaws} of {n_drafts} jobs are wrong; nothing was sent");
    let mut lines = vec![head];
    for flaw in flaws.iter().take(FLAWS_SHOWN) {
        let hint = flaw.hint.as_ref().map(|hint| format!(" (hint: {hint})"));
        lines.push(format!("  {}{}", named(flaw), hint.unwrap_or_default()));
    }
    if FLAWS_SHOWN < n_flaws {
        lines.push(format!("  and {} more", n_flaws - FLAWS_SHOWN));
    }
    let text = lines.join("\n");
    Complaint::usage(text).hint("mend these, then send the whole file again")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn job(token: Option<&str>) -> Value {
        let mut job = json!({
            "jobName": "align",
            "jobDefinition": {
                "type": "container",
                "containerProperties": {
                    "image": "busybox",
                    "resourceRequirements": [
                        {"type": "VCPU", "value": "1"},
                        {"type": "MEMORY", "value": "1024"},
                    ],
                },
            },
        });
        if let Some(token) = token {
            job["spillway"] = json!({ "clientToken": token });
        }
        job
    }

    fn draft(place: &str, message: Value) -> Draft {
        Draft { place: place.to_owned(), message }
    }

    fn letters(drafts: Vec<Draft>) -> Result<Vec<Letter>, Complaint> {
        let drafts = drafts.into_iter().map(Ok).collect();
        let queue: QueueName = "default".parse().unwrap();
        let queues = [queue.clone()];
        let draw_token = || "drawn".to_owned();
        Completion { queues: &queues, queue: &queue, draw_token: &draw_token }.letters(drafts)
    }

    /// A letter under `token`, for other tests.
    pub(crate) fn letter(token: &str) -> Letter {
        letters(vec![draft("", job(Some(token)))]).unwrap().remove(0)
    }

    #[test]
    fn a_draft_gets_a_queue_and_a_token_and_its_id_is_known() {
        let letters = letters(vec![draft("", job(None))]).unwrap();

        let queue: QueueName = "default".parse().unwrap();
        assert_eq!(letters[0].id, JobId::derive(&queue, "drawn"));
        assert!(letters[0].body.contains(r#""clientToken":"drawn""#), "{}", letters[0].body);
    }

    #[test]
    fn a_token_that_is_given_is_kept() {
        let queue: QueueName = "default".parse().unwrap();

        assert_eq!(letter("mine").id, JobId::derive(&queue, "mine"));
    }

    #[test]
    fn every_flaw_is_named_with_its_place() {
        let mut unknown = job(Some("b"));
        unknown["jobQueue"] = json!("nightly");

        let complaint = letters(vec![
            draft("j.jsonl:1", job(Some("a"))),
            draft("j.jsonl:2", unknown),
            draft("j.jsonl:3", json!({"jobName": "x"})),
        ])
        .unwrap_err();

        let text = complaint.message;
        assert!(text.starts_with("2 of 3 jobs are wrong"), "{text}");
        assert!(text.contains("j.jsonl:2: jobQueue: there is no queue \"nightly\""), "{text}");
        assert!(text.contains("j.jsonl:3: "), "{text}");
    }

    #[test]
    fn one_token_for_two_different_jobs_is_refused_and_the_same_job_twice_is_not() {
        let mut other = job(Some("a"));
        other["jobName"] = json!("other");

        let twice = letters(vec![draft("1", job(Some("a"))), draft("2", job(Some("a")))]);
        let clash = letters(vec![draft("1", job(Some("a"))), draft("2", other)]);

        assert_eq!(twice.unwrap().len(), 2);
        assert!(
            clash.unwrap_err().message.contains("its client token is that of another job, at 1")
        );
    }

    #[test]
    fn an_order_to_end_a_job_is_no_job() {
        let id = letter("a").id;
        let order = json!({"jobId": id, "reason": "r", "spillway": {"action": "CancelJob"}});

        let complaint = letters(vec![draft("", order)]).unwrap_err();

        assert!(complaint.message.contains("order to end a job"), "{}", complaint.message);
        assert!(complaint.hint.unwrap().contains("spillway cancel"));
    }
}
