//! Traces of jobs, as a collector on loopback gets them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rig::{Home, id, message};

/// The longest that anybody here waits for a trace.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// A collector of traces. It refuses as many requests as it is told to, and passes on what it then takes.
struct Collector {
    endpoint: String,
    taken: Receiver<Value>,
}

impl Collector {
    fn that_refuses(n_first: usize) -> Self {
        Self::that_answers("503 Busy", n_first)
    }

    /// So many first requests are answered with a status of their own.
    fn that_answers(status: &'static str, n_first: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (sender, taken) = channel();
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let body = answer(stream.unwrap(), if n < n_first { status } else { "200 OK" });
                if n_first <= n && sender.send(body).is_err() {
                    break;
                }
            }
        });
        Self { endpoint, taken }
    }

    /// The spans of so many jobs, by the job's id.
    fn jobs(&self, n: usize) -> BTreeMap<String, Vec<Value>> {
        let (since, mut jobs) = (Instant::now(), BTreeMap::new());
        while jobs.len() < n && since.elapsed() < WAIT_MAX {
            let Ok(body) = self.taken.recv_timeout(WAIT_MAX) else { break };
            for span in spans(&body) {
                let job = told(&span, "spillway.job.id").unwrap_or_default();
                jobs.entry(job).or_insert_with(Vec::new).push(span);
            }
        }
        // Parts of an attempt say whose they are by their trace alone.
        let parts = jobs.remove("").unwrap_or_default();
        for of_job in jobs.values_mut() {
            let trace = of_job[0]["traceId"].clone();
            of_job.extend(parts.iter().filter(|part| part["traceId"] == trace).cloned());
        }
        jobs
    }
}

/// Reads one request and answers it.
fn answer(stream: TcpStream, status: &str) -> Value {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let text = line.trim().to_ascii_lowercase();
        if let Some(told) = text.strip_prefix("content-length:") {
            length = told.trim().parse().unwrap();
        }
        if text.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n");
    let rest = "content-length: 2\r\nconnection: close\r\n\r\n{}";
    reader.get_mut().write_all(format!("{head}{rest}").as_bytes()).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn spans(body: &Value) -> Vec<Value> {
    let list = |of: &Value, name: &str| of[name].as_array().cloned().unwrap_or_default();
    let resources = list(body, "resourceSpans");
    let scopes = resources.iter().flat_map(|of| list(of, "scopeSpans"));
    scopes.flat_map(|of| list(&of, "spans")).collect()
}

/// What a span says under a name, as text.
fn told(span: &Value, name: &str) -> Option<String> {
    let attributes = span["attributes"].as_array()?;
    let value = &attributes.iter().find(|of| of["key"] == name)?["value"];
    let of_any = value.as_object()?.values().next()?;
    Some(of_any.as_str().map_or_else(|| of_any.to_string(), str::to_owned))
}

fn names(spans: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = spans.iter().filter_map(|span| span["name"].as_str()).collect();
    names.sort_unstable();
    names
}

fn world(jobs: &[(&str, &str)]) -> String {
    let of_job = |(token, command): &(&str, &str)| {
        format!("[[workload.messages]]\nbody = '''{}'''\n", message(token, 512, command))
    };
    jobs.iter().map(of_job).collect()
}

#[test]
fn a_collector_gets_one_trace_of_each_job_with_a_span_for_each_wait_and_attempt() {
    let collector = Collector::that_refuses(1);
    let home =
        Home::new().with("s.toml", &world(&[("a", "true"), ("b", "exit 3")])).with_ledger("l.db");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str())];
    let _dispatcher = home.serve_with("s.toml", "l.db", &variables);

    let jobs = collector.jobs(2);

    let (well, failed) = (&jobs[&id("a")], &jobs[&id("b")]);
    for spans in [well, failed] {
        assert_eq!(names(spans), ["attempt", "job", "running", "starting", "waiting"]);
        let root = spans.iter().find(|span| span["name"] == "job").unwrap();
        assert!(spans.iter().all(|span| span["traceId"] == root["traceId"]));
        let attempt = spans.iter().find(|span| span["name"] == "attempt").unwrap();
        assert_eq!(attempt["parentSpanId"], root["spanId"]);
        let running = spans.iter().find(|span| span["name"] == "running").unwrap();
        assert_eq!(running["parentSpanId"], attempt["spanId"]);
        assert!(told(attempt, "host.id").unwrap().starts_with("i-"), "{attempt}");
    }
    assert_ne!(well[0]["traceId"], failed[0]["traceId"]);
    let status = |spans: &[Value]| {
        let root = spans.iter().find(|span| span["name"] == "job").unwrap();
        (told(root, "spillway.job.status").unwrap(), root["status"]["code"].as_u64())
    };
    assert_eq!(status(well).0, "SUCCEEDED");
    assert_eq!(status(failed), ("FAILED".to_owned(), Some(2)), "OTLP's code of an error");
}

#[test]
fn what_a_collector_did_not_take_is_sent_by_the_next_dispatcher() {
    let home = Home::new().with("s.toml", &world(&[("a", "true")])).with("none.toml", "");
    let home = home.with_ledger("l.db");
    let away = Collector::that_refuses(usize::MAX);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", away.endpoint.as_str())];
    let dispatcher = home.serve_with("s.toml", "l.db", &variables);
    let since = Instant::now();
    while !home.run(&["jobs", "list", "--ledger", "l.db"]).stdout.contains("SUCCEEDED") {
        assert!(since.elapsed() < WAIT_MAX);
    }
    drop(dispatcher);

    let there = Collector::that_refuses(0);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", there.endpoint.as_str())];
    let _dispatcher = home.serve_with("none.toml", "l.db", &variables);

    assert!(there.jobs(1).contains_key(&id("a")));
}

/// Which of two jobs a collector got, of which the first was answered with a status.
fn taken_after(status: &'static str) -> Vec<String> {
    let collector = Collector::that_answers(status, 1);
    let later = world(&[("b", "true")]) + "at = \"30m\"\n";
    let home = Home::new().with("s.toml", &(world(&[("a", "true")]) + &later)).with_ledger("l.db");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str())];
    let _dispatcher = home.serve_with("s.toml", "l.db", &variables);
    let (since, mut taken) = (Instant::now(), Vec::new());
    while !taken.contains(&id("b")) && since.elapsed() < WAIT_MAX {
        taken.extend(collector.jobs(1).into_keys());
    }
    taken
}

#[test]
fn what_a_collector_will_never_take_does_not_hold_up_what_comes_after_it() {
    assert_eq!(taken_after("400 Bad Request"), [id("b")]);
}

#[test]
fn a_collector_that_is_not_there_yet_gets_what_it_missed() {
    let taken = taken_after("404 Not Found");

    assert!(taken.contains(&id("a")), "{taken:?}");
}
