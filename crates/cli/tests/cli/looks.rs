//! What the pages say to look at beside the program's own verbs: what a dispatcher answers over HTTP, and what it logs.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::dispatcher::{answering, get, wait};
use crate::docs::{blocks, pages, programs, root};
use crate::rig::{Home, message};

/// In real time; a hundred and twenty times that in the world's.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a dispatcher answers, without the head.
fn body(address: SocketAddr, path: &str) -> String {
    let answer = get(address, path);
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

/// What a shell makes of a text.
fn piped(text: &str, into: &str) -> String {
    let mut shell = Command::new("bash");
    shell.args(["-c", into]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

fn commands() -> Vec<String> {
    pages().iter().flat_map(|page| blocks(page)).flat_map(|block| block.commands()).collect()
}

#[test]
fn what_the_pages_ask_a_dispatcher_over_http_has_an_answer() {
    // A host is bought, works, idles and is given back: what a dispatcher counts of it has been.
    let job = format!("[[workload.messages]]\nbody = '{}'\n", message("a", 512, "sleep 30"));
    let home = Home::new().with("s.toml", &job).with_ledger("l.db");
    let (_dispatcher, address) = answering(&home);
    wait(&home, &["a"], &[]);
    let mut asked = Vec::new();
    for command in commands() {
        let (curl, rest) = command.split_once('|').unwrap_or((&command, "cat"));
        let Some(url) = curl.trim().strip_prefix("curl -s ") else { continue };
        let path = url.trim_start_matches("http://").strip_prefix("127.0.0.1:9464");
        asked.push((path.unwrap().to_owned(), rest.trim().to_owned()));
    }
    assert!(5 <= asked.len(), "{asked:?}");

    let until = Instant::now() + PATIENCE;
    while Instant::now() < until && !asked.is_empty() {
        asked.retain(|(path, rest)| piped(&body(address, path), rest).is_empty());
    }

    assert!(asked.is_empty(), "{asked:?}\n{}", body(address, "/metrics"));
}

/// All texts in the source of what a dispatcher is made of.
fn texts(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, all);
        } else if path.extension().is_some_and(|of| of == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let is_text = |line: &&str| line.contains('"') && !line.trim_start().starts_with("//");
            all.extend(source.lines().filter(is_text).flat_map(|line| [line, "\n"]));
        }
    }
}

#[test]
fn what_the_pages_look_for_in_the_log_may_be_there() {
    let mut said = String::new();
    for room in ["aws", "cli", "core", "dynamodb", "engine", "runtime"] {
        texts(&root().join("crates").join(room).join("src"), &mut said);
    }
    let mut n_seen = 0;
    for command in commands().iter().filter(|command| command.starts_with("journalctl ")) {
        for words in programs(command).iter().filter(|words| words[0] == "grep") {
            let looked_for: Vec<&String> =
                words[1..].iter().filter(|w| !w.starts_with('-')).collect();
            for text in looked_for {
                assert!(said.contains(text.as_str()), "{command}: {text}");
                n_seen += 1;
            }
        }
    }
    assert!(3 <= n_seen, "{n_seen}");
}
