//! Who may depend on whom, and what the pure crates may never reach. Reads the workspace's own files and metadata.
#![expect(clippy::expect_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use spillway_tests::workspace;

/// A room of the house.
struct Room {
    /// The package.
    name: &'static str,
    /// Packages of ours it may depend on.
    may_use: &'static [&'static str],
    /// Packages it must not reach, directly or through others. A trailing `*` matches the rest.
    never: &'static [&'static str],
}

/// The table of ARCHITECTURE.md.
const ROOMS: [Room; 9] = [
    Room {
        name: "spillway-core",
        may_use: &[],
        never: &["tokio*", "rand*", "aws-*", "axum", "rusqlite"],
    },
    Room {
        name: "spillway-planner",
        may_use: &["spillway-core"],
        never: &["spillway-engine", "tokio*", "rand*", "aws-*", "axum", "rusqlite"],
    },
    Room {
        name: "spillway-engine",
        may_use: &["spillway-core", "spillway-planner"],
        never: &["tokio*", "rand*", "aws-*", "axum", "rusqlite"],
    },
    Room {
        name: "spillway-sim",
        may_use: &["spillway-core", "spillway-planner", "spillway-engine"],
        never: &["spillway-aws", "spillway-runtime", "tokio*", "aws-*", "axum", "rusqlite"],
    },
    Room {
        name: "spillway-runtime",
        may_use: &["spillway-core", "spillway-engine"],
        never: &["spillway-aws", "aws-*", "clap*"],
    },
    Room {
        name: "spillway-aws",
        may_use: &["spillway-core"],
        never: &["spillway-planner", "spillway-engine", "spillway-runtime", "clap*"],
    },
    Room {
        name: "spillway-dynamodb",
        may_use: &["spillway-core"],
        never: &[
            "spillway-planner",
            "spillway-engine",
            "spillway-runtime",
            "spillway-aws",
            "aws-sdk-ec2",
            "clap*",
        ],
    },
    Room { name: "spillway-runner", may_use: &[], never: &["tokio*", "serde*", "aws-*", "clap*"] },
    Room {
        name: "spillway",
        may_use: &[
            "spillway-core",
            "spillway-planner",
            "spillway-engine",
            "spillway-sim",
            "spillway-runtime",
            "spillway-aws",
            "spillway-dynamodb",
        ],
        never: &["openssl", "openssl-sys", "native-tls"],
    },
];

/// Crates whose results may depend on nothing but their arguments.
const PURE: [&str; 4] = ["core", "planner", "engine", "sim"];

/// What their `clippy.toml` bans.
const BANNED: [&str; 6] = [
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "jiff::Timestamp::now",
    "uuid::Uuid::new_v4",
    "std::collections::HashMap",
    "std::collections::HashSet",
];

fn metadata() -> Metadata {
    let manifest = workspace().join("Cargo.toml");
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest).other_options(["--locked".to_owned()]);
    command.exec().expect("cargo metadata works")
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[test]
fn every_room_uses_only_the_rooms_it_may() {
    let metadata = metadata();
    let ours: BTreeSet<String> =
        metadata.workspace_packages().iter().map(|p| p.name.to_string()).collect();

    for room in ROOMS {
        let package = metadata.packages.iter().find(|p| p.name.as_str() == room.name).unwrap();
        // Its tests may use more: the runtime's drive it over the simulated cloud.
        let shipped = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
        let used = shipped.filter(|d| ours.contains(&d.name));
        let forbidden: Vec<&str> =
            used.map(|d| d.name.as_str()).filter(|name| !room.may_use.contains(name)).collect();

        assert!(forbidden.is_empty(), "{} must not depend on {forbidden:?}", room.name);
    }
}

#[test]
fn every_crate_has_its_line_in_the_table() {
    let metadata = metadata();
    let known: BTreeSet<&str> = ROOMS.iter().map(|room| room.name).collect();
    let outside = ["spillway-tests", "spillway-wire-tests", "xtask"];

    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        assert!(
            known.contains(name) || outside.contains(&name),
            "{name} is in no line of the table"
        );
    }
}

#[test]
fn no_room_reaches_what_it_must_not_directly_or_through_others() {
    for room in ROOMS {
        // With its own features: the rest of the workspace may turn on more.
        for package in features(&["-p", room.name, "-e", "normal,build"]).keys() {
            let broken = room.never.iter().find(|pattern| matches(pattern, name(package)));
            assert!(broken.is_none(), "{} reaches {package}", room.name);
        }
    }
}

#[test]
fn only_the_adapters_name_the_sdk() {
    for package in metadata().workspace_packages() {
        let named = package.dependencies.iter().find(|d| d.name.starts_with("aws-"));
        let may = ["spillway-aws", "spillway-dynamodb"].contains(&package.name.as_str());
        assert!(may || named.is_none(), "{} names {:?}", package.name, named.map(|d| &d.name));
    }
}

#[test]
fn pure_crates_ban_clocks_chance_and_hash_order() {
    for name in PURE {
        let path = workspace().join("crates").join(name).join("clippy.toml");
        let text = fs::read_to_string(&path).expect("a pure crate has its clippy.toml");
        for banned in BANNED {
            assert!(text.contains(&format!("\"{banned}\"")), "crates/{name} does not ban {banned}");
        }
    }
}

#[test]
fn nothing_is_built_twice_for_the_program_and_the_tests_that_need_the_sdk() {
    // A feature that one of them turns on in a crate builds it again, and all above it: the SDK takes minutes and gigabytes.
    let program = features(&["-p", "spillway", "-e", "normal,build"]);
    // What xtask selects for everything that is tested with the SDK.
    let tested = ["-p", "spillway-aws", "-p", "spillway-dynamodb", "-p", "spillway-wire-tests"];
    let tested = features(&[&tested[..], &["-e", "normal,build,dev"]].concat());

    let mut differing = Vec::new();
    for (package, set) in &program {
        if tested.get(package).is_some_and(|theirs| theirs != set) {
            differing.push(format!("{package}: {set:?}, and for tests {:?}", tested[package]));
        }
    }

    assert!(program.keys().any(|package| name(package) == "aws-sdk-ec2"));
    assert!(differing.is_empty(), "built twice:\n{}", differing.join("\n"));
}

/// The name in `name v1.2.3 (where)`.
fn name(package: &str) -> &str {
    package.split(' ').next().unwrap_or(package)
}

/// Every package that a selection builds, as `name v1.2.3 (where)`, with its features. One that is built with other features
/// for the host than for the target has both sets.
fn features(selection: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .current_dir(workspace())
        .args(["tree", "--locked", "--prefix", "none", "--no-dedupe", "-f", "{p} | {f}"])
        .args(selection)
        .output()
        .expect("cargo tree works");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&tree.stdout).lines() {
        let Some((package, features)) = line.split_once(" | ") else { continue };
        found.entry(package.to_owned()).or_default().insert(features.trim().to_owned());
    }
    found
}

/// The committed files that are text, with their names.
fn committed_texts() -> Vec<(String, String)> {
    let list = Command::new("git").current_dir(workspace()).args(["ls-files", "-z"]).output();
    let list = list.expect("git lists the files");
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let names = String::from_utf8(list.stdout).expect("names are UTF-8");
    let text = |name: &str| {
        let text = fs::read_to_string(workspace().join(name)).ok()?;
        Some((name.to_owned(), text))
    };
    names.split('\0').filter(|name| !name.is_empty()).filter_map(text).collect()
}

#[test]
fn no_committed_text_names_a_machines_own_paths() {
    // Taken apart here, so that this file is no hit itself.
    let machine = ["work", "root"].map(|folder| format!("/{folder}/"));

    let texts = committed_texts();

    assert!(texts.len() > 50);
    for (name, text) in texts {
        let line = text.lines().position(|line| machine.iter().any(|path| line.contains(path)));
        assert!(line.is_none(), "{name}:{} names a path of one machine", line.unwrap_or(0) + 1);
    }
}

#[test]
fn every_source_file_says_what_it_is_and_fits_the_reader() {
    for (name, text) in committed_texts() {
        if Path::new(&name).extension().is_none_or(|end| end != "rs") {
            continue;
        }
        assert!(text.starts_with("//!"), "{name} does not open with what it is");
        let is_shipped = Path::new(&name).components().any(|part| part.as_os_str() == "src");
        let n_lines = text.lines().count();
        assert!(!is_shipped || n_lines <= 500, "{name} has {n_lines} lines: split it by noun");
    }
}
