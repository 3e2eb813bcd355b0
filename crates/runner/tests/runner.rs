//! The runner as it runs in a container: real processes, their variables, limits and ends; and the contract with the
//! dispatcher, whose plan it reads and which reads its report.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read as _;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use jiff::SignedDuration;
use spillway_core::AttemptOrd;
use spillway_core::coalesce::{PLAN_VARIABLE, Report, RunnerPlan, SharedChild};

const RUNNER: &str = env!("CARGO_BIN_EXE_spillway-runner");
const ARRAY: &str = "290f9993-9821-5417-9e19-119b12a9b481";

fn ord(n: u32) -> AttemptOrd {
    AttemptOrd::new(n).unwrap()
}

/// A plan for these indexes, each in its first attempt.
fn plan(indexes: &[u32], parallel: u32) -> RunnerPlan {
    let child = |index: &u32| SharedChild { index: *index, attempt: ord(1), counted: 1 };
    RunnerPlan {
        key: "k1".to_owned(),
        array: ARRAY.parse().unwrap(),
        size: 100,
        parallel: NonZeroU32::new(parallel).unwrap(),
        timeout: None,
        stop: SignedDuration::from_secs(30),
        children: indexes.iter().map(child).collect(),
    }
}

fn command(plan: &RunnerPlan, script: &str) -> Command {
    let mut command = Command::new(RUNNER);
    command.args(["run", "sh", "-c", script]).env(PLAN_VARIABLE, plan.to_string());
    command
}

fn run(plan: &RunnerPlan, script: &str) -> (Option<i32>, String, Report) {
    let Output { status, stdout, .. } = command(plan, script).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    let report = Report::read(&plan.key, text.lines());
    (status.code(), text, report)
}

fn codes(report: &Report) -> Vec<(u32, i32)> {
    report.ended.iter().map(|((index, _), end)| (*index, end.exit_code)).collect()
}

#[test]
fn each_child_has_its_own_variables_and_exit_code() {
    let script = r#"echo "$AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ARRAY_SIZE $SPILLWAY_COALESCED"; exit $AWS_BATCH_JOB_ARRAY_INDEX"#;

    let (code, text, report) = run(&plan(&[0, 3, 7], 1), script);

    assert_eq!(code, Some(1), "one failed");
    assert_eq!(codes(&report), [(0, 0), (3, 3), (7, 7)]);
    assert!(text.contains(&format!("{ARRAY}:3 100 \n")), "and no plan: {text}");
    assert!(report.started.is_empty());
}

#[test]
fn attempts_are_told_as_batch_counts_them_and_as_they_are() {
    let mut plan = plan(&[5], 1);
    plan.children[0] = SharedChild { index: 5, attempt: ord(4), counted: 2 };

    let (code, text, report) = run(&plan, r#"echo "a=$AWS_BATCH_JOB_ATTEMPT,$SPILLWAY_ATTEMPT""#);

    assert_eq!(code, Some(0));
    assert!(text.contains("a=2,4\n"), "{text}");
    assert!(report.ended.contains_key(&(5, ord(4))));
}

#[test]
fn children_run_one_after_the_other_or_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display();
    // Each waits until the other is there too: alone it would wait for ever.
    let meet = format!(
        "touch {here}/$SPILLWAY_ARRAY_INDEX; until [ -e {here}/0 ] && [ -e {here}/1 ]; do sleep 0.01; done"
    );
    assert_eq!(run(&plan(&[0, 1], 2), &meet).0, Some(0));

    let (code, text, _) = run(&plan(&[0, 1, 2], 1), "true");
    assert_eq!(code, Some(0));
    let said = |line: &str| {
        line.split(' ').skip(2).take(2).map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let order: Vec<String> = text.lines().map(said).collect();
    assert_eq!(order, ["start 0", "end 0", "start 1", "end 1", "start 2", "end 2"]);
}

#[test]
fn one_that_takes_too_long_is_stopped_with_all_it_started_and_the_next_runs() {
    let mut plan = plan(&[0, 1], 1);
    plan.timeout = Some(SignedDuration::from_secs(1));
    let script = "[ $SPILLWAY_ARRAY_INDEX = 1 ] || { sleep 600 & wait; }";

    let (code, _, report) = run(&plan, script);

    assert_eq!((code, codes(&report)), (Some(1), vec![(0, 143), (1, 0)]));
    assert!(report.ended[&(0, ord(1))].timed_out && !report.ended[&(1, ord(1))].timed_out);
}

#[test]
fn one_that_ignores_the_stop_is_killed() {
    let mut plan = plan(&[0], 1);
    (plan.timeout, plan.stop) = (Some(SignedDuration::from_secs(1)), SignedDuration::from_secs(1));

    let (_, _, report) = run(&plan, "trap '' TERM; while :; do sleep 0.1; done");

    assert_eq!(codes(&report), [(0, 137)]);
}

#[test]
fn a_runner_that_is_told_to_stop_says_nothing_of_those_that_it_stopped() {
    let plan = plan(&[0, 1, 2], 1);
    let mut runner = command(&plan, "[ $SPILLWAY_ARRAY_INDEX = 0 ] || { echo up; sleep 600; }")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = runner.stdout.take().unwrap();
    let mut text = String::new();
    let mut byte = [0];
    while !text.ends_with("up\n") {
        assert_eq!(stdout.read(&mut byte).unwrap(), 1, "{text}");
        text.push(char::from(byte[0]));
    }

    let pid = runner.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());

    assert_eq!(runner.wait().unwrap().code(), Some(143));
    stdout.read_to_string(&mut text).unwrap();
    let report = Report::read("k1", text.lines());
    assert_eq!(codes(&report), [(0, 0)]);
    assert_eq!(report.started, [(1, ord(1))], "it must run again, and the third too");
}

#[test]
fn a_program_that_is_not_there_fails_each_child_and_not_the_runner() {
    let plan = plan(&[0, 1], 1);
    let output = Command::new(RUNNER)
        .args(["run", "/no/such/program"])
        .env(PLAN_VARIABLE, plan.to_string())
        .output()
        .unwrap();

    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(codes(&Report::read("k1", text.lines())), [(0, 127), (1, 127)]);
}

#[test]
fn without_a_plan_that_it_understands_it_runs_nothing() {
    for text in ["", "2 key=k job=j size=1 children=0"] {
        let mut command = Command::new(RUNNER);
        command.args(["run", "echo", "ran"]).env(PLAN_VARIABLE, text);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn it_installs_itself_where_another_container_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runner");

    let status = Command::new(RUNNER).arg("install").arg(&path).status().unwrap();

    assert!(status.success());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    let mut copy = Command::new(&path);
    copy.args(["run", "true"]).env(PLAN_VARIABLE, plan(&[0], 1).to_string());
    assert_eq!(copy.output().unwrap().status.code(), Some(0));
}
