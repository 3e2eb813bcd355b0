//! `why` in prepared situations: the reason, the counts over everything on offer, when it should start, and what would
//! start it now.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use spillway_core::change::Cooldown;
use spillway_core::{Change, HostId, Job, JobClass, JobState};

use crate::queues::paused;
use crate::rig::{Home, Ran, add_job, id, message};

/// Text that differs from run to run: times, and spans until times that were given as such.
fn settings(home: &Home) -> insta::Settings {
    let mut settings = home.settings();
    settings.add_filter(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]");
    settings.add_filter(r"RUNNABLE for [^\n]+", "RUNNABLE for [SPAN]");
    settings.add_filter(r"in (about )?\d+[hms]( \d+[ms])*", "in [SPAN]");
    settings
}

fn why(home: &Home, token: &str) -> Ran {
    home.run(&["why", &id(token), "--builtin-prices", "--ledger", "l.db"])
}

macro_rules! assert_told {
    ($home:expr, $ran:expr) => {
        settings(&$home).bind(|| insta::assert_snapshot!($ran));
    };
}

/// One job of 1 vCPU and so much memory that waits.
fn waits(token: &str, memory_mib: u64) -> Change {
    add_job(1, &message(token, memory_mib, "true"), Timestamp::now())
}

const HOST: &str = "00000000-0000-5000-8000-00000000000a";

fn instance() -> Value {
    json!({"id": "i-0123456789abcdef0", "launched_at": Timestamp::now()})
}

const CONTAINER_INSTANCE: &str = "arn:aws:ecs:us-east-1:123456789012:container-instance/spillway/0123456789abcdef0123456789abcdef";

/// A c6a.large in the ledger.
fn host(state: &Value) -> Change {
    let host = json!({
        "id": HOST,
        "launch": null,
        "pool": {"instance_type": "c6a.large", "zone": "us-east-1a", "market": "spot"},
        "arch": "x86_64",
        "price": 27_000,
        "capacity": {"cpu": 2048, "memory": 3788},
        "state": state,
    });
    Change::PutHost(Box::new(serde_json::from_value(host).unwrap()))
}

fn registered() -> Value {
    json!({
        "status": "registered",
        "instance": instance(),
        "container_instance": CONTAINER_INSTANCE,
        "at": Timestamp::now(),
    })
}

/// A job of an hour.
fn running_body(token: &str, memory_mib: u64) -> Value {
    let mut body = message(token, memory_mib, "true");
    body["spillway"]["expectedDurationSeconds"] = json!(3600);
    body
}

/// A job that runs there and needs so much memory.
fn runs(token: &str, memory_mib: u64) -> Vec<Change> {
    vec![runs_as(&running_body(token, memory_mib))]
}

fn runs_as(body: &Value) -> Change {
    let Change::AddJob(job) = add_job(2, body, Timestamp::now()) else { unreachable!() };
    let host: HostId = HOST.parse().unwrap();
    let state = json!({
        "status": "RUNNING",
        "attempt": {"ord": 1, "host": host, "placed_at": Timestamp::now()},
        "started_at": Timestamp::now(),
    });
    let job = Job { state: serde_json::from_value(state).unwrap(), ..*job };
    Change::AddJob(Box::new(job))
}

/// Nothing but one type in one market is sold.
fn only(instance_type: &str) -> String {
    format!("[offerings]\ninstance-types = ['{instance_type}']\nmarkets = ['spot']\n")
}

#[test]
fn a_job_that_fits_nothing_that_may_be_bought() {
    let home = Home::new()
        .with_facts("l.db", &[waits("a", 8000)])
        .with("spillway.toml", &only("c6a.large"));

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn the_number_of_hosts_is_reached() {
    let limits = format!("{}[limits]\nmax-hosts = 1\n", only("c6a.large"));
    let mut facts = vec![waits("a", 2000), host(&registered())];
    facts.extend(runs("b", 3000));
    let home = Home::new().with_facts("l.db", &facts).with("spillway.toml", &limits);

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn the_vcpus_are_used_up() {
    let limits = format!("{}[limits]\nmax-vcpus = 1\n", only("c6a.*"));
    let home = Home::new().with_facts("l.db", &[waits("a", 2000)]).with("spillway.toml", &limits);

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn the_dollars_are_used_up() {
    let limits = format!("{}[limits]\nmax-price-per-hour = '$0.01'\n", only("c6a.*"));
    let home = Home::new().with_facts("l.db", &[waits("a", 2000)]).with("spillway.toml", &limits);

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn every_pool_that_would_do_is_dry() {
    let until = Timestamp::now() + SignedDuration::from_mins(2);
    let mut facts = vec![waits("a", 2000)];
    for zone in ["us-east-1a", "us-east-1b", "us-east-1c"] {
        let pool = json!({"instance_type": "c6a.large", "zone": zone, "market": "spot"});
        facts.push(Change::Cool {
            pool: serde_json::from_value(pool).unwrap(),
            cooldown: Some(Cooldown { until, n_failed: 1 }),
        });
    }
    let home = Home::new().with_facts("l.db", &facts).with("spillway.toml", &only("c6a.large"));

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
#[cfg(not(feature = "aws"))]
fn no_prices_can_be_read() {
    let home = Home::new().with_facts("l.db", &[waits("a", 2000)]);

    let ran = home.run(&["why", &id("a"), "--ledger", "l.db"]);

    assert_told!(home, ran);
}

#[test]
fn the_accounts_quota_is_used_up() {
    let limits = format!("{}[limits]\nvcpu-quotas = ['spot/standard=2']\n", only("c6a.large"));
    let mut facts = vec![waits("a", 2000), host(&registered())];
    facts.extend(runs("b", 3000));
    let home = Home::new().with_facts("l.db", &facts).with("spillway.toml", &limits);

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn another_job_must_end_first() {
    let mut facts = vec![host(&registered())];
    facts.extend(runs("b", 2000));
    let mut body = message("a", 500, "true");
    body["dependsOn"] = json!([{"jobId": id("b")}]);
    let Change::AddJob(job) = add_job(3, &body, Timestamp::now()) else { unreachable!() };
    facts.push(Change::AddJob(Box::new(Job { state: JobState::Pending, ..*job })));
    let home = Home::new().with_facts("l.db", &facts).with("spillway.toml", &only("c6a.large"));

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn its_queue_is_paused() {
    let home = Home::new().with_facts("l.db", &[waits("a", 2000), paused("default")]);

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn its_share_has_all_that_it_may_have() {
    let config = format!(
        "{}[[queue]]\nname = 'default'\nfair-share = true\n\
         [[queue.shares]]\nshare = 'teamA'\nmax-vcpus = 1\n",
        only("c6a.large")
    );
    let of_team = |mut body: Value| {
        body["shareIdentifier"] = json!("teamA");
        body
    };
    let mut facts = vec![host(&registered())];
    facts.push(runs_as(&of_team(running_body("b", 1000))));
    facts.push(add_job(3, &of_team(message("a", 1000, "true")), Timestamp::now()));
    let home = Home::new().with_facts("l.db", &facts).with("spillway.toml", &config);

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn all_licences_are_taken() {
    let config = format!("consumable-resources = ['licences=1']\n{}", only("c6a.large"));
    let of_licence = |mut body: Value| {
        let list = json!([{"consumableResource": "licences", "quantity": 1}]);
        body["consumableResourcePropertiesOverride"] = json!({"consumableResourceList": list});
        body
    };
    let mut facts = vec![host(&registered())];
    facts.push(runs_as(&of_licence(running_body("b", 1000))));
    facts.push(add_job(3, &of_licence(message("a", 1000, "true")), Timestamp::now()));
    let home = Home::new().with_facts("l.db", &facts).with("spillway.toml", &config);

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn the_only_host_with_room_takes_no_more_work() {
    let draining = json!({
        "status": "draining",
        "instance": instance(),
        "container_instance": CONTAINER_INSTANCE,
        "since": Timestamp::now(),
        "cause": "spot-interruption",
    });
    let home = Home::new()
        .with_facts("l.db", &[waits("a", 2000), host(&draining)])
        .with("spillway.toml", &only("c6a.large"));

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn the_next_plan_starts_it_on_a_host_that_is_up() {
    let home = Home::new()
        .with_facts("l.db", &[waits("a", 2000), host(&registered())])
        .with("spillway.toml", &only("c6a.large"));

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn it_waits_for_a_host_that_boots() {
    let launched = json!({"status": "launched", "instance": instance()});
    let waiting = waits("a", 2000);
    let (Change::AddJob(job), Change::PutHost(mut host)) = (&waiting, host(&launched)) else {
        unreachable!()
    };
    host.reserved = vec![(JobClass::waiting(job, SignedDuration::ZERO, []), 1)];
    let home = Home::new()
        .with_facts("l.db", &[waiting.clone(), Change::PutHost(host)])
        .with("spillway.toml", &only("c6a.large"));

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn it_is_planned_behind_a_running_job() {
    let mut body = message("a", 3000, "true");
    body["spillway"]["patienceSeconds"] = json!(7200);
    body["spillway"]["expectedDurationSeconds"] = json!(600);
    let mut facts = vec![add_job(1, &body, Timestamp::now()), host(&registered())];
    facts.extend(runs("b", 3000));
    let home = Home::new().with_facts("l.db", &facts).with("spillway.toml", &only("c6a.large"));

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn a_little_less_memory_would_fit_beside_what_runs() {
    let mut facts = vec![waits("a", 2000), host(&registered())];
    facts.extend(runs("b", 2000));
    let home = Home::new().with_facts("l.db", &facts).with("spillway.toml", &only("c6a.large"));

    let ran = why(&home, "a");

    assert_told!(home, ran);
}

#[test]
fn scripts_get_a_code_counts_and_prices() {
    let limits = format!("{}[limits]\nmax-vcpus = 1\n", only("c6a.*"));
    let home = Home::new().with_facts("l.db", &[waits("a", 2000)]).with("spillway.toml", &limits);
    let args = ["why", &id("a"), "--builtin-prices", "--ledger", "l.db", "--format", "json"];

    let json = home.run(&args).json();

    assert_eq!(json["code"], "limit-reached");
    let offerings = &json["offerings"];
    let n_obstacles: u64 = offerings["obstacles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|obstacle| obstacle["count"].as_u64().unwrap())
        .sum();
    assert_eq!(offerings["n_would_do"], 0);
    assert_eq!(offerings["n_offerings"].as_u64().unwrap(), n_obstacles);
    assert_eq!(json["changes"][0]["what"], "limits");
    assert!(0.0 < json["changes"][0]["price_usd_per_hour"].as_f64().unwrap());
}

#[test]
fn a_job_that_does_not_wait_is_told_where_it_is() {
    let mut facts = runs("b", 2000);
    facts.insert(0, host(&registered()));
    let home = Home::new().with_facts("l.db", &facts);
    let args = ["why", &id("b"), "--builtin-prices", "--ledger", "l.db", "--format", "json"];

    let json = home.run(&args).json();

    assert_eq!(json["code"], "on-host");
    assert!(json["reason"].as_str().unwrap().contains("i-0123456789abcdef0"), "{json}");
}

#[test]
fn a_job_that_is_not_in_the_ledger_is_an_error() {
    let home = Home::new().with_ledger("l.db");

    let ran = why(&home, "nobody");

    assert_eq!(ran.code, Some(2), "{ran}");
}
