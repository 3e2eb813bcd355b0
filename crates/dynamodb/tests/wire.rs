//! The ledger's contract over a real endpoint, at `SPILLWAY_TEST_ENDPOINT`. Without the variable nothing is tested, and that is said.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../../runtime/tests/ledger/contract.rs"]
mod contract;
#[path = "../../runtime/tests/ledger/sample.rs"]
#[expect(dead_code, reason = "the ledger's own tests use all of it")]
mod sample;
#[path = "../../runtime/tests/ledger/subjects.rs"]
#[expect(dead_code, reason = "those in memory and in a file are tested without a wire")]
mod subjects;

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use spillway_core::CloudError;
use spillway_core::port::Ledger;
use spillway_core::table::{Condition, Field, Item, Key, Table, TableError, Write};
use spillway_dynamodb::{DynamoTable, Place, connect};
use uuid::Uuid;

use contract::{Subject, contract_over};
use subjects::{Copy, InJournal};

/// An empty table of its own; none without an endpoint.
async fn table() -> Option<DynamoTable> {
    let Ok(endpoint) = std::env::var("SPILLWAY_TEST_ENDPOINT") else {
        said("skipped: SPILLWAY_TEST_ENDPOINT names no emulator");
        return None;
    };
    let name = format!("ledger-{}", Uuid::new_v4());
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(&endpoint)
        .build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    let mut call = client.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let key = KeySchemaElement::builder().attribute_name(attribute).key_type(kind);
        let text = ScalarAttributeType::S;
        let defined = AttributeDefinition::builder().attribute_name(attribute).attribute_type(text);
        call =
            call.key_schema(key.build().unwrap()).attribute_definitions(defined.build().unwrap());
    }
    call.send().await.expect("the endpoint makes a table");
    Some(connected(&endpoint, &name).await)
}

async fn connected(endpoint: &str, name: &str) -> DynamoTable {
    let place = Place {
        table: name.to_owned(),
        region: Some("us-east-1".to_owned()),
        profile: None,
        endpoint_url: Some(endpoint.to_owned()),
    };
    connect(&place).await.unwrap()
}

#[expect(clippy::print_stderr, reason = "a test that tests nothing says so")]
fn said(text: &str) {
    eprintln!("{text}");
}

async fn subject(copy: Copy) -> Option<InJournal<DynamoTable>> {
    Some(InJournal::new(table().await?, copy).await)
}

contract_over!(in_dynamodb, super::subject(super::Copy::Kept));
contract_over!(in_dynamodb_from_another_machine, super::subject(super::Copy::MadeAgain));

fn item(epoch: u64) -> Item {
    Item::from([
        ("epoch".to_owned(), Field::Number(epoch)),
        ("data".to_owned(), Field::Bytes(vec![7; 1_000])),
        ("owner".to_owned(), Field::Text("a".to_owned())),
    ])
}

fn put(sort: &str, epoch: u64, only_if: Option<Condition>) -> Write {
    Write { key: Key::new("p", sort), item: Some(item(epoch)), only_if }
}

fn holds(epoch: u64) -> Condition {
    Condition::Holds(vec![("epoch", Field::Number(epoch)), ("owner", Field::Text("a".into()))])
}

#[tokio::test]
async fn writes_are_made_together_and_on_their_conditions() {
    let Some(table) = table().await else { return };
    let absent = || Some(Condition::Absent);

    table.write(vec![put("1", 1, absent()), put("2", 1, absent())]).await.unwrap();
    let again = table.write(vec![put("1", 2, absent()), put("3", 1, None)]).await;
    let alone = table.write(vec![put("1", 2, absent())]).await;
    let other = table.write(vec![put("1", 2, Some(holds(9))), put("3", 1, None)]).await;

    assert_eq!([again, alone, other], [const { Err(TableError::Refused) }; 3]);
    assert_eq!(table.get(&Key::new("p", "3")).await.unwrap(), None);
    assert_eq!(table.get(&Key::new("p", "1")).await.unwrap(), Some(item(1)));
    table.write(vec![put("1", 2, Some(holds(1))), put("3", 1, absent())]).await.unwrap();
    table.write(vec![put("1", 3, Some(holds(2)))]).await.unwrap();
    assert_eq!(table.get(&Key::new("p", "1")).await.unwrap(), Some(item(3)));
    let delete = |sort: &str| Write { key: Key::new("p", sort), item: None, only_if: None };
    table.write(vec![delete("1")]).await.unwrap();
    table.write(vec![delete("2"), delete("3")]).await.unwrap();
    assert_eq!(table.list("p", None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_partition_is_listed_in_order_and_page_by_page() {
    let Some(table) = table().await else { return };
    for n in (0..9).rev() {
        table.write(vec![put(&n.to_string(), n, None)]).await.unwrap();
    }

    let mut places: Vec<String> = Vec::new();
    loop {
        let page = table.list("p", places.last().map(String::as_str), 4).await.unwrap();
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        places.extend(page.into_iter().map(|(place, _)| place));
    }

    assert_eq!(places.join(""), "012345678");
}

#[tokio::test]
async fn a_table_that_is_not_there_is_told_from_one_that_does_not_answer() {
    let Ok(endpoint) = std::env::var("SPILLWAY_TEST_ENDPOINT") else { return };

    let missing = connected(&endpoint, "no-such-table").await.get(&Key::new("p", "s")).await;
    let silent = connected("http://127.0.0.1:9", "any").await.get(&Key::new("p", "s")).await;

    let Err(TableError::Call(CloudError::Misconfigured { .. })) = missing else {
        panic!("{missing:?}")
    };
    let Err(TableError::Call(CloudError::Unsettled { .. })) = silent else { panic!("{silent:?}") };
}

/// Not a bound, since it is an emulator's: what a commit takes is said.
#[tokio::test]
async fn what_a_commit_takes_is_said() {
    let Some(table) = table().await else { return };
    let started = Instant::now();
    let one = table.write(vec![put("1", 1, None), put("2", 1, None)]);
    one.await.unwrap();
    let transaction = started.elapsed();
    let mut subject = InJournal::new(table, Copy::Kept).await;

    let mut took: Vec<Duration> = Vec::new();
    for n in 0..50 {
        let started = Instant::now();
        subject.ledger().commit(sample::at(0), &[sample::add(&sample::job(n))]).await.unwrap();
        took.push(started.elapsed());
    }

    took.sort_unstable();
    said(&format!("a commit takes {:?} (median), a transaction alone {transaction:?}", took[25]));
}
