//! Budgets as every verb tells them: `budgets`, `doctor` and `why`. What is spent is in the ledger, and no dispatcher runs.

use jiff::Timestamp;
use jiff::civil::date;
use serde_json::json;
use spillway_core::{Change, MicroUsd, Payer};

use crate::rig::{Home, add_job, id, message};

const CONFIG: &str = "\
queues = ['default', 'nightly']

[[budget]]
name = 'all'
amount = '$500'
per = 'month'

[[budget]]
name = 'default'
amount = '$100'
per = 'month'
queue = 'default'

[[budget]]
name = 'team'
amount = '$20'
per = 'month'
queue = 'default'
share = 'teamA'
";

/// What was spent on the first of this month.
fn spent(payer: Payer, dollars: u64) -> Change {
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = date(today.year(), today.month(), 1);
    Change::PutSpending { day, payer, spent: Some(MicroUsd::new(dollars * 1_000_000)) }
}

fn of_share(share: &str, dollars: u64) -> Change {
    let (queue, share) = ("default".parse().unwrap(), share.parse().unwrap());
    spent(Payer::Share { queue, share }, dollars)
}

/// $123 in all; of the queue `default` $85, of these $25 of the share `teamA`; and a job of that share that waits.
fn home() -> Home {
    let mut of_team = message("a", 512, "true");
    of_team["shareIdentifier"] = json!("teamA");
    let facts = [
        spent(Payer::All, 123),
        of_share("teamA", 25),
        of_share("default", 60),
        add_job(1, &of_team, Timestamp::now()),
        add_job(2, &message("b", 512, "true"), Timestamp::now()),
    ];
    Home::new().with("spillway.toml", CONFIG).with_facts("l.db", &facts)
}

fn settings(home: &Home) -> insta::Settings {
    let mut settings = home.settings();
    settings.add_filter(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]");
    settings.add_filter(r"RUNNABLE for [^\n]+", "RUNNABLE for [SPAN]");
    settings.add_filter(r"in (about )?\d+[hms]( \d+[ms])*", "in [SPAN]");
    settings
}

#[test]
fn budgets_are_listed_with_what_is_spent_and_left() {
    let home = home();

    let table = home.run(&["budgets", "--ledger", "l.db"]);
    let json = home.run(&["budgets", "--ledger", "l.db", "--format", "json"]).json();

    settings(&home).bind(|| insta::assert_snapshot!(table));
    assert_eq!(json["budgets"][0]["scope"], "everything");
    assert_eq!(json["budgets"][0]["spent_usd"], json!(123.0));
    assert_eq!(json["budgets"][1]["left_usd"], json!(15.0));
    assert_eq!(json["budgets"][1]["state"], "warning");
    assert_eq!(json["budgets"][2]["share"], "teamA");
    assert_eq!(json["budgets"][2]["left_usd"], json!(0.0));
    assert_eq!(json["budgets"][2]["state"], "stopped");
}

#[test]
fn without_a_budget_there_is_nothing_to_read() {
    let home = Home::new();

    let ran = home.run(&["budgets", "--ledger", "nowhere.db"]);

    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("[[budget]]"), "{ran}");
}

#[test]
fn the_doctor_warns_of_one_and_fails_at_another() {
    let home = home();

    let ran = home.run(&["doctor", "--local", "--ledger", "l.db"]);

    settings(&home).bind(|| insta::assert_snapshot!(ran));
    assert_eq!(ran.code, Some(6), "{ran}");
}

#[test]
fn why_says_what_is_spent_by_how_much_the_budget_would_have_to_be_more_and_when_the_next_begins() {
    let home = home();
    let why = |token: &str| home.run(&["why", &id(token), "--builtin-prices", "--ledger", "l.db"]);

    let ran = why("a");

    settings(&home).bind(|| insta::assert_snapshot!(ran));
    assert!(!why("b").stdout.contains("budget"), "the share of others does not stop it");
}

#[test]
fn a_budget_of_a_queue_that_is_not_there_is_a_mistake() {
    let config = "[[budget]]\nname = 'a'\namount = '$1'\nper = 'day'\nqueue = 'dear'\n";
    let home = Home::new().with("spillway.toml", config);

    let ran = home.run(&["budgets"]);

    assert_eq!(ran.code, Some(6), "{ran}");
    assert!(ran.stderr.contains("dear"), "{ran}");
}

#[test]
fn how_they_stand_is_in_top_too() {
    let home = home();

    let ran = home.run(&["top", "--once", "--ledger", "l.db", "--builtin-prices"]);
    let view =
        home.run(&["top", "--ledger", "l.db", "--builtin-prices", "--format", "json"]).json();

    let told: Vec<&str> =
        ran.stdout.lines().filter_map(|line| line.strip_prefix("Budget ")).collect();
    assert_eq!(told.len(), 3, "{ran}");
    assert_eq!(told[0], "all: $123.00 of $500.00 spent this month (everything)");
    assert!(told[2].starts_with("team: $25.00 of $20.00 spent this month"), "{ran}");
    let budgets = home.run(&["budgets", "--ledger", "l.db", "--format", "json"]).json();
    assert_eq!(view["budgets"], budgets["budgets"]);
}
