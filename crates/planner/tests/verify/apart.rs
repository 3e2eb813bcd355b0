//! The verifier shares nothing with what plans: of the crate it sees the files' formats only.

use std::fs;
use std::path::Path;

/// What the verifier may name of the rest of the crate: the types that files are read into.
const FORMATS: [&str; 2] =
    ["crate::bill::TimedProblem", "crate::problem::{JobLine, Offer, Problem}"];

#[test]
fn the_verifier_names_nothing_of_the_solver() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![src.join("verify.rs")];
    files.extend(fs::read_dir(src.join("verify")).unwrap().map(|entry| entry.unwrap().path()));
    assert!(5 < files.len(), "{files:?}");

    let mut foreign = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let named = line.trim_start_matches("use ").trim_end_matches(';');
            let is_format = FORMATS.contains(&named);
            let reaches_out = line.contains("crate::") || line.contains("super::super::");
            if reaches_out && !is_format {
                foreign.push(format!("{}: {line}", file.display()));
            }
        }
    }

    assert!(foreign.is_empty(), "{foreign:#?}");
}
