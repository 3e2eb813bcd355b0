//! Traces of jobs, as a collector on this machine gets them from a dispatcher over a simulated cloud.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::rig::Home;

/// One of the two jobs fails once and is tried again.
const WORLD: &str = r#"
name = "traced"
[[workload.jobs]]
name = "steady"
vcpus = 1
memory = "1GiB"
duration = "20s"
exits = { 0 = 1 }
[[workload.jobs]]
name = "stubborn"
vcpus = 1
memory = "1GiB"
duration = "20s"
attempts = 2
exits = { 3 = 1 }
"#;

/// So long a collector waits for the next spans before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes what is posted, and says yes.
fn collector() -> (u16, Receiver<Value>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.unwrap());
                while let Some(body) = posted(&mut reader) {
                    // The test may have seen enough.
                    sender.send(body).ok();
                    let yes = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                    reader.get_mut().write_all(yes.as_bytes()).unwrap();
                }
            });
        }
    });
    (port, receiver)
}

/// The body of the next request; none when there are no more.
fn posted(reader: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut length = 0;
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| 0 < *n)?;
    assert!(line.starts_with("POST /v1/traces "), "{line}");
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some(serde_json::from_slice(&body).unwrap())
}

fn spans(body: &Value) -> Vec<Value> {
    let scopes = body["resourceSpans"].as_array().unwrap().iter();
    let scopes = scopes.flat_map(|resource| resource["scopeSpans"].as_array().unwrap());
    scopes.flat_map(|scope| scope["spans"].as_array().unwrap().clone()).collect()
}

fn attribute(span: &Value, key: &str) -> Value {
    let found = span["attributes"].as_array().unwrap().iter().find(|told| told["key"] == key);
    let value = found.unwrap_or_else(|| panic!("no {key} in {span}"))["value"].as_object().unwrap();
    value.values().next().unwrap().clone()
}

fn text(span: &Value, key: &str) -> String {
    span[key].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_job_is_one_trace_over_all_its_attempts() {
    let home = Home::new().with("world.toml", WORLD);
    let (port, received) = collector();
    let endpoint = format!("http://127.0.0.1:{port}");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let dispatcher = home.serve_with("world.toml", "w.db", &variables);

    let mut traces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut services = Vec::new();
    while traces.len() < 2 {
        let body = received.recv_timeout(PATIENCE).unwrap();
        services.push(body["resourceSpans"][0]["resource"].clone());
        for span in spans(&body) {
            traces.entry(text(&span, "traceId")).or_default().push(span);
        }
    }
    drop(dispatcher);

    assert_eq!(attribute(&services[0], "service.name"), "spillway");
    let is_stubborn = |trace: &&Vec<Value>| {
        trace
            .iter()
            .any(|span| span["name"] == "job" && attribute(span, "spillway.job.name") == "stubborn")
    };
    let steady = traces.values().find(|trace| !is_stubborn(trace)).unwrap();
    let stubborn = traces.values().find(is_stubborn).unwrap();
    assert_is_tree(steady, 1);
    assert_is_tree(stubborn, 2);
    let root = stubborn.iter().find(|span| span["name"] == "job").unwrap();
    assert_eq!(attribute(root, "spillway.job.status"), "FAILED");
    assert_eq!(root["status"]["code"], 2);
    let first = stubborn.iter().find(|span| span["name"] == "attempt").unwrap();
    assert_eq!(attribute(first, "process.exit.code").to_string().trim_matches('"'), "3");
    assert!(attribute(first, "host.id").as_str().unwrap().starts_with("i-"));
    assert!(0.0 < attribute(first, "spillway.cost_usd").as_f64().unwrap());
}

/// One span without a parent; every other one within its parent, which is in the trace too.
fn assert_is_tree(trace: &[Value], n_attempts: usize) {
    let time = |span: &Value, key: &str| -> u64 {
        let told = &span[key];
        told.as_str().map_or_else(|| told.as_u64().unwrap(), |text| text.parse().unwrap())
    };
    let by_id: BTreeMap<String, &Value> =
        trace.iter().map(|span| (text(span, "spanId"), span)).collect();
    assert_eq!(by_id.len(), trace.len(), "ids are of one span each");
    let roots: Vec<&Value> =
        trace.iter().filter(|span| text(span, "parentSpanId").is_empty()).collect();
    assert_eq!(roots.len(), 1);
    for span in trace.iter().filter(|span| !text(span, "parentSpanId").is_empty()) {
        let parent = by_id[&text(span, "parentSpanId")];
        let expected = match span["name"].as_str().unwrap() {
            "waiting" | "attempt" => "job",
            "starting" | "running" => "attempt",
            other => panic!("{other}"),
        };
        assert_eq!(parent["name"], expected);
        for (inner, outer) in [("startTimeUnixNano", true), ("endTimeUnixNano", false)] {
            let (own, of_parent) = (time(span, inner), time(parent, inner));
            assert!(if outer { of_parent <= own } else { own <= of_parent }, "{span} in {parent}");
        }
    }
    let count = |name: &str| trace.iter().filter(|span| span["name"] == name).count();
    for name in ["attempt", "waiting", "starting", "running"] {
        assert_eq!(count(name), n_attempts, "{name}");
    }
}
