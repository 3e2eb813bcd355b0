//! A dispatcher over a simulated world, and the verbs that read its ledger while it runs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::rig::{Dispatcher, Home, id, message};

/// A job that succeeds, one that exits 3, and one that fits no machine.
fn home() -> Home {
    let jobs = [
        message("good", 512, "sleep 30"),
        message("bad", 512, "sleep 20; exit 3"),
        message("huge", 10 * 1024 * 1024, "true"),
    ];
    let bodies: Vec<String> =
        jobs.iter().map(|job| format!("[[workload.messages]]\nbody = '{job}'\n")).collect();
    Home::new().with("s.toml", &bodies.concat()).with_ledger("l.db")
}

pub(crate) fn wait(home: &Home, tokens: &[&str], more: &[&str]) -> crate::rig::Ran {
    let ids: Vec<String> = tokens.iter().map(|token| id(token)).collect();
    let mut args = vec!["jobs", "wait", "--ledger", "l.db", "--timeout", "60s"];
    args.extend(more);
    args.extend(ids.iter().map(String::as_str));
    home.run(&args)
}

#[test]
fn waiting_ends_with_the_verdict_of_the_jobs() {
    let home = home();
    let _dispatcher = home.serve("s.toml", "l.db");

    let good = wait(&home, &["good"], &[]);
    let both = wait(&home, &["good", "bad"], &["--format", "json"]);
    let passed = wait(&home, &["bad"], &["--pass-exit-code"]);

    assert_eq!(good.code, Some(0), "{good}");
    assert_eq!(both.code, Some(3), "{both}");
    assert_eq!(both.json()["jobs"][1]["exit_code"], 3);
    assert_eq!(passed.code, Some(3), "{passed}");
}

#[test]
fn beside_a_simulated_world_a_folder_stands_in_for_the_queue() {
    let home = home();
    let folder = ("SPILLWAY_JOB_QUEUE_URL", "file:spool");
    let submit =
        ["submit", "--image", "busybox", "--ledger", "l.db", "--wait", "--wait-timeout", "60s"];

    let _dispatcher = home.serve_with("s.toml", "l.db", &[folder]);
    let args = [&submit[..], &["--pass-exit-code", "--", "sh", "-c", "exit 7"]].concat();
    let ran = home.run_with(&args, &[folder], "");
    let without = home.run(&["submit", "--image", "busybox"]);

    assert_eq!(ran.code, Some(7), "{ran}");
    assert_ne!(without.code, Some(0), "{without}");
}

#[test]
fn a_job_shows_its_exit_code_machine_and_cost() {
    let home = home();
    let _dispatcher = home.serve("s.toml", "l.db");
    wait(&home, &["bad"], &[]);

    let json =
        home.run(&["jobs", "show", &id("bad"), "--ledger", "l.db", "--format", "json"]).json();

    assert_eq!(json["job"]["status"], "FAILED");
    let told: Vec<&str> =
        json["timeline"].as_array().unwrap().iter().map(|m| m["what"].as_str().unwrap()).collect();
    assert_eq!((told[0], told[2], told[4]), ("accepted", "running", "FAILED"), "{told:?}");
    let attempt = &json["attempts"][0];
    assert_eq!(attempt["exit_code"], 3);
    assert_eq!(attempt["failure"], "exit");
    assert!(attempt["instance_type"].as_str().unwrap().contains('.'), "{json}");
    assert!(["spot", "on-demand"].contains(&attempt["market"].as_str().unwrap()), "{json}");
    assert!(0.0 < attempt["cost_usd"].as_f64().unwrap(), "{json}");
}

#[test]
fn what_was_expected_of_jobs_is_held_against_what_came() {
    let home = home();
    let _dispatcher = home.serve("s.toml", "l.db");
    wait(&home, &["good", "bad"], &[]);

    let json = home.run(&["calibration", "--ledger", "l.db", "--format", "json"]).json();
    let page = home.run(&["calibration", "--ledger", "l.db"]);

    let guessed = &json["durations"][0];
    assert_eq!((&guessed["source"], &guessed["n"]), (&"prior".into(), &1.into()), "{json}");
    let took = guessed["realised_mean_s"].as_f64().unwrap();
    assert!((25.0..60.0).contains(&took), "the one that succeeded slept for 30 s: {json}");
    assert!(page.stdout.contains("prior\t1\t10m\t"), "{page}");
}

#[test]
fn a_job_of_ten_tebibytes_fails_at_once_with_the_nearest_type() {
    let home = home();
    let _dispatcher = home.serve("s.toml", "l.db");

    let ran = wait(&home, &["huge"], &[]);
    let shown = home.run(&["jobs", "show", &id("huge"), "--ledger", "l.db"]);

    assert_eq!(ran.code, Some(3), "{ran}");
    assert!(shown.stdout.contains("memory"), "{shown}");
    assert!(shown.stdout.contains("xlarge"), "{shown}");
}

#[cfg(unix)]
#[test]
fn sigterm_stops_it_in_order() {
    let home = home();
    let dispatcher = home.serve("s.toml", "l.db");
    wait(&home, &["good"], &[]);

    let ran = dispatcher.terminate();

    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("SIGTERM"), "{ran}");
    let list = home.run(&["jobs", "list", "--ledger", "l.db", "--format", "jsonl"]);
    assert_eq!(list.stdout.lines().count(), 3, "{list}");
}

#[cfg(unix)]
#[test]
fn log_events_are_json_where_that_is_asked_for() {
    let home = home();
    let dispatcher = home.serve_with("s.toml", "l.db", &[("SPILLWAY_LOG_FORMAT", "json")]);
    wait(&home, &["huge"], &[]);

    let ran = dispatcher.terminate();

    let events: Vec<serde_json::Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["signal"] == "SIGTERM"), "{ran}");
}

#[test]
fn a_second_dispatcher_on_the_same_ledger_is_refused_and_the_first_goes_on() {
    let home = home();
    let _dispatcher = home.serve("s.toml", "l.db");
    wait(&home, &["huge"], &[]);

    let second = home.run(&["serve", "--world", "s.toml", "--ledger", "l.db"]);
    let good = wait(&home, &["good"], &[]);

    assert_eq!(second.code, Some(9), "{second}");
    assert_eq!(good.code, Some(0), "{good}");
}

#[test]
fn a_job_that_nobody_takes_is_waited_for_until_the_time_is_up() {
    let home = Home::new().with_ledger("l.db");

    let ran = home.run(&["jobs", "wait", &id("never"), "--ledger", "l.db", "--timeout", "0s"]);

    assert_eq!(ran.code, Some(5), "{ran}");
}

pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A dispatcher over the world in `s.toml`, and where it answers.
pub(crate) fn answering(home: &Home) -> (Dispatcher, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let variable = ("SPILLWAY_METRICS_ADDRESS", address.to_string());
    (home.serve_with("s.toml", "l.db", &[(variable.0, &variable.1)]), address)
}

#[test]
fn probes_and_scrapers_are_answered_where_it_is_configured() {
    let home = home();
    let (_dispatcher, address) = answering(&home);
    wait(&home, &["good"], &[]);

    let (live, metrics) = (get(address, "/healthz"), get(address, "/metrics"));

    assert!(live.starts_with("HTTP/1.1 200 "), "{live}");
    assert!(metrics.starts_with("HTTP/1.1 200 "), "{metrics}");
    assert!(metrics.contains("\n# TYPE spillway_"), "{metrics}");
}

#[test]
fn an_address_that_is_taken_is_a_mistake_of_the_configuration() {
    let home = home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["serve", "--world", "s.toml", "--ledger", "l.db"];

    let ran = home.run_with(&args, &[("SPILLWAY_METRICS_ADDRESS", &address)], "");

    assert_eq!(ran.code, Some(6), "{ran}");
    assert!(ran.stderr.contains(&format!("cannot answer at {address}")), "{ran}");
}
