//! Registers, deregisters and describes job definitions. The dispatcher gives revisions, so the answer waits for it.

use serde::Deserialize;
use serde_json::{Value, json};
use spillway_core::message::{self, Request};
use spillway_core::port::LedgerReader;
use spillway_core::{DefinitionRecord, DefinitionRef, JobName};

use super::api::{Api, Call};
use super::jobs::with_token;
use super::names::{self, Names};
use super::refusal::Refusal;

/// The most definitions of one page (AWS Batch API reference, `DescribeJobDefinitions.maxResults`).
const PAGE_MAX: usize = 100;

/// `RegisterJobDefinition`.
pub(super) async fn register(api: &Api, call: Call) -> Result<Value, Refusal> {
    let Call { fields, token } = call;
    let body = with_token(fields, "RegisterJobDefinition", &token).to_string();
    let Request::Register { name, client_token, .. } = message::parse(&body)?.request else {
        return Err(Refusal::client("it is not a job definition"));
    };
    api.send(&body).await?;
    let token = client_token.unwrap_or(token);
    let wanted = name.clone();
    let registered = api
        .settled(&format!("register {name}"), move |reader| {
            let all = reader.definitions()?;
            let is_this = |of: &DefinitionRecord| of.name == wanted && of.token == token;
            Ok(all.into_iter().find(is_this))
        })
        .await?;
    Ok(json!({
        "jobDefinitionName": name,
        "jobDefinitionArn": api.names.definition(&registered.reference()),
        "revision": registered.revision,
    }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deregister {
    job_definition: String,
}

/// `DeregisterJobDefinition`.
pub(super) async fn deregister(api: &Api, call: Call) -> Result<Value, Refusal> {
    let Deregister { job_definition } = call.read()?;
    let wanted = names::definition(&job_definition)?;
    let action = json!({ "action": "DeregisterJobDefinition" });
    let body = json!({ "jobDefinition": wanted.to_string(), "spillway": action }).to_string();
    message::parse(&body)?;
    let named = wanted.clone();
    let known = api.read(move |reader| Ok(find(&reader.definitions()?, &named))).await?;
    let known =
        known.ok_or_else(|| Refusal::client(format!("there is no job definition {wanted}")))?;
    if known.deregistered_at.is_none() {
        api.send(&body).await?;
        let named = wanted.clone();
        api.settled(&format!("deregister {wanted}"), move |reader| {
            let found = find(&reader.definitions()?, &named);
            Ok(found.filter(|record| record.deregistered_at.is_some()))
        })
        .await?;
    }
    Ok(json!({}))
}

fn find(all: &[DefinitionRecord], wanted: &DefinitionRef) -> Option<DefinitionRecord> {
    all.iter().find(|record| record.reference() == *wanted).cloned()
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Describe {
    job_definitions: Option<Vec<String>>,
    job_definition_name: Option<JobName>,
    status: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// `DescribeJobDefinitions`: by name, of each the newest revision first.
pub(super) async fn describe(api: &Api, call: Call) -> Result<Value, Refusal> {
    let asked: Describe = call.read()?;
    let all = api.read(LedgerReader::definitions).await?;
    described(all, &asked, &api.names)
}

fn described(
    mut all: Vec<DefinitionRecord>,
    asked: &Describe,
    names: &Names,
) -> Result<Value, Refusal> {
    let asked_for = asked.job_definitions.as_deref().unwrap_or_default();
    let wanted: Vec<DefinitionRef> =
        asked_for.iter().map(|text| names::definition(text)).collect::<Result<_, _>>()?;
    let is_named = |record: &DefinitionRecord| {
        let is_it = |of: &DefinitionRef| {
            of.name == record.name && of.revision.is_none_or(|n| n == record.revision)
        };
        wanted.is_empty() || wanted.iter().any(is_it)
    };
    all.retain(|record| {
        is_named(record)
            && asked.job_definition_name.as_ref().is_none_or(|name| *name == record.name)
            && asked.status.as_ref().is_none_or(|status| status == record.status())
    });
    all.sort_by(|a, b| a.name.cmp(&b.name).then(b.revision.cmp(&a.revision)));
    if let Some(token) = &asked.next_token {
        let last: DefinitionRef = names::definition(token)?;
        all.retain(|of| {
            let revision = last.revision.unwrap_or(0);
            of.name > last.name || (of.name == last.name && of.revision < revision)
        });
    }
    let limit = asked.max_results.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let next = all.get(limit - 1).filter(|_| limit < all.len()).map(DefinitionRecord::reference);
    let shown: Vec<Value> = all.iter().take(limit).map(|record| detail(record, names)).collect();
    let mut answer = json!({ "jobDefinitions": shown });
    if let Some(next) = next {
        answer["nextToken"] = json!(next.to_string());
    }
    Ok(answer)
}

/// What was registered, under its number.
fn detail(record: &DefinitionRecord, names: &Names) -> Value {
    let mut detail = Value::clone(&record.content);
    if let Some(fields) = detail.as_object_mut() {
        for (key, value) in [
            ("jobDefinitionName", json!(record.name)),
            ("jobDefinitionArn", json!(names.definition(&record.reference()))),
            ("revision", json!(record.revision)),
            ("status", json!(record.status())),
            ("containerOrchestrationType", json!("ECS")),
        ] {
            fields.insert(key.to_owned(), value);
        }
        fields.entry("type").or_insert_with(|| json!("container"));
    }
    detail
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;

    fn all() -> Vec<DefinitionRecord> {
        let record = |(name, revision): (&str, u32)| DefinitionRecord {
            name: name.parse().unwrap(),
            revision,
            token: "t".to_owned(),
            registered_at: Timestamp::UNIX_EPOCH,
            deregistered_at: (revision == 1).then_some(Timestamp::UNIX_EPOCH),
            content: Arc::new(json!({"parameters": {"nf-token": "x"}})),
        };
        [("align", 1), ("align", 2), ("align", 3), ("sort", 1), ("sort", 2)].map(record).into()
    }

    fn ask(request: Value) -> (Vec<String>, Option<String>) {
        let asked = serde_json::from_value(request).unwrap();
        let answer = described(all(), &asked, &Names::new(None, None)).unwrap();
        let shown = answer["jobDefinitions"].as_array().unwrap();
        let name = |of: &Value| {
            of["jobDefinitionArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
        };
        (shown.iter().map(name).collect(), answer["nextToken"].as_str().map(str::to_owned))
    }

    #[test]
    fn definitions_are_found_by_name_revision_arn_and_status() {
        let arn = Names::new(None, None).definition(&"align:2".parse().unwrap());

        assert_eq!(ask(json!({})).0, ["align:3", "align:2", "align:1", "sort:2", "sort:1"]);
        let active = json!({"jobDefinitionName": "align", "status": "ACTIVE"});
        assert_eq!(ask(active).0, ["align:3", "align:2"]);
        assert_eq!(
            ask(json!({"jobDefinitions": [arn, "sort"]})).0,
            ["align:2", "sort:2", "sort:1"]
        );
    }

    #[test]
    fn a_page_goes_on_where_the_one_before_ended() {
        let (first, next) = ask(json!({"maxResults": 2}));
        let (second, _) = ask(json!({"maxResults": 2, "nextToken": next}));
        let (third, end) = ask(json!({"maxResults": 2, "nextToken": "sort:2"}));

        assert_eq!(
            (first, second),
            (vec!["align:3".into(), "align:2".into()], vec!["align:1".into(), "sort:2".into()])
        );
        assert_eq!((third, end), (vec!["sort:1".to_owned()], None));
    }
}
