//! What jobs wrote, read back.

use serde_json::Value;
use spillway_wire_tests::deployment::{Deployment, SOON, Shape, said};

#[test]
fn what_a_job_writes_is_followed_over_its_attempts_and_read_again_by_attempt() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();
    let script = "echo attempt $AWS_BATCH_JOB_ATTEMPT; sleep 1; echo done >&2; \
                  [ $AWS_BATCH_JOB_ATTEMPT = 2 ]";
    let job = here.submit(&["--name", "writes", "--attempts", "2"], script);

    let followed = here.spillway(&["logs", &job, "--follow"]);

    assert!(followed.status.success(), "{}", said(&followed));
    let text = String::from_utf8_lossy(&followed.stdout);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines, ["attempt 1", "done", "attempt 2", "done"], "{}", said(&followed));
    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(0));

    let first = here.spillway(&["logs", &job, "--attempt", "1", "--format", "jsonl"]);
    let events: Vec<Value> = String::from_utf8_lossy(&first.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a document in each line"))
        .collect();
    let messages: Vec<&str> = events.iter().filter_map(|event| event["message"].as_str()).collect();
    assert_eq!(messages, ["attempt 1", "done"]);
    let last = here.spillway(&["logs", &job, "--tail", "1"]);
    assert_eq!(String::from_utf8_lossy(&last.stdout), "done\n");
    here.until_all_is_given_back();
}
