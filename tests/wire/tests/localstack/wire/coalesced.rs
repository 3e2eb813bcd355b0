//! Children of an array that share ECS tasks: fewer tasks than children, and each child has its own end.

use std::path::PathBuf;

use spillway_tests::workspace;
use spillway_wire_tests::deployment::{Deployment, PROGRAM, SOON, Shape, runner, said};

/// The image that brings the runner. Local processes take a folder for one, and the folder that the program was built in has the
/// runner too; Docker needs a real one, if somebody has made it.
fn runner_image() -> Option<String> {
    if runner() == "docker" {
        return std::env::var("SPILLWAY_TEST_RUNNER_IMAGE").ok();
    }
    let program = std::env::var_os(PROGRAM).map(PathBuf::from);
    let program = program.unwrap_or_else(|| workspace().join("target/release/spillway"));
    let folder = program.parent().expect("it is in a folder");
    assert!(
        folder.join("spillway-runner").is_file(),
        "build it: cargo build --release -p spillway-runner"
    );
    Some(folder.display().to_string())
}

#[test]
fn a_child_that_fails_in_a_shared_task_fails_alone() {
    let Some(image) = runner_image() else { return };
    let config: &'static str = String::leak(format!("runner-image = {image:?}\n"));
    let Some(here) = Deployment::new(Shape { config, ..Shape::default() }) else { return };
    let _dispatcher = here.serve();

    let flags = ["--array", "12", "--coalesce", "4:2"];
    let script =
        "echo child $AWS_BATCH_JOB_ARRAY_INDEX; [ $AWS_BATCH_JOB_ARRAY_INDEX != 5 ] || exit 3";
    let array = here.submit(&flags, script);

    assert_eq!(here.wait(std::slice::from_ref(&array), SOON), Some(3), "one of them failed");
    for index in 0..12 {
        let seen = here.job(&format!("{array}:{index}")).unwrap();
        let attempt = &seen["attempts"][0];
        let (status, code) = if index == 5 { ("FAILED", 3) } else { ("SUCCEEDED", 0) };
        assert_eq!(seen["job"]["status"], status, "{seen}");
        assert_eq!(attempt["exit_code"], code, "{seen}");
        assert_eq!(attempt["shared_by"], 4, "{seen}");
        assert_eq!(seen["attempts"].as_array().map(Vec::len), Some(1), "nobody ran twice");
    }
    assert_eq!(here.n_tasks_ever(), 3);
    let log = here.spillway(&["logs", &format!("{array}:5")]);
    let text = String::from_utf8_lossy(&log.stdout);
    assert!(text.contains("child 5") && text.contains("child 4"), "it has one log: {}", said(&log));
    assert!(said(&log).contains("shared a task"), "{}", said(&log));
    here.until_all_is_given_back();
}
