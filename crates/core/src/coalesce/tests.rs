//! Which jobs may share tasks, and the two texts.

use proptest::prelude::*;

use super::*;
use crate::array::{ArraySpec, Indexes};
use crate::container::ContainerSpec;
use crate::quantity::{CpuUnits, MiB};

const ID: &str = "290f9993-9821-5417-9e19-119b12a9b481";

fn child(index: u32, attempt: u32, counted: u32) -> SharedChild {
    SharedChild { index, attempt: AttemptOrd::new(attempt).unwrap(), counted }
}

fn plan(children: Vec<SharedChild>) -> RunnerPlan {
    RunnerPlan {
        key: "5f1d".to_owned(),
        array: ID.parse().unwrap(),
        size: 1_000,
        parallel: NonZeroU32::new(4).unwrap(),
        timeout: Some(SignedDuration::from_hours(1)),
        stop: SignedDuration::from_secs(30),
        children,
    }
}

fn end(exit_code: i32) -> ChildEnd {
    ChildEnd { exit_code, ran: SignedDuration::from_millis(1_200), timed_out: false }
}

fn with_runner(children: Resources) -> Option<Resources> {
    children.checked_add(&Resources::new(CpuUnits::ZERO, RUNNER_MEMORY, 0))
}

#[test]
fn a_plan_of_many_children_is_a_short_text() {
    let mut children: Vec<SharedChild> = (100..150).map(|index| child(index, 1, 1)).collect();
    children.extend([child(7, 3, 2), child(9, 1, 1)]);

    let text = plan(children).to_string();

    let expected = format!(
        "1 key=5f1d job={ID} size=1000 parallel=4 timeout=3600 stop=30 children=100-149,7:3:2,9"
    );
    assert_eq!(text, expected);
}

#[test]
fn a_report_is_found_among_the_children_s_own_lines() {
    let log = [
        "::spillway 5f1d start 0 1",
        "hello",
        "::spillway 5f1d start 1 1",
        "an open line::spillway 5f1d end 0 1 exit=0 ms=1200",
        "::spillway other end 1 1 exit=0 ms=1",
        "::spillway 5f1d end 1 1 exit=3 ms=1200",
        "::spillway 5f1d end 1 1 exit=0 ms=1",
        "::spillway 5f1d start 2 2",
        "::spillway 5f1d end 3 1 exit=143 ms=60000 timeout",
        "::spillway 5f1d end 4",
        "::spillway 5f1d pause 5 1",
    ];

    let report = Report::read("5f1d", log);

    let of =
        |index, attempt| report.ended.get(&(index, AttemptOrd::new(attempt).unwrap())).copied();
    assert_eq!((of(0, 1), of(1, 1)), (Some(end(0)), Some(end(3))), "what was said first holds");
    assert!(of(3, 1).unwrap().timed_out);
    assert_eq!((report.ended.len(), report.started), (3, vec![(2, AttemptOrd::new(2).unwrap())]));
}

#[test]
fn only_children_that_a_runner_can_tell_apart_share_tasks() {
    let resources = Resources::new(CpuUnits::new(512), MiB::new(512), 0);
    let mut container = ContainerSpec::new("tool");
    container.command = vec!["tool".to_owned()];
    let (name, queue) = ("j".parse().unwrap(), "q".parse().unwrap());
    let mut spec = JobSpec::new(name, queue, container, resources);
    assert_eq!(CoalesceRule::check(&spec), Err(NotCoalescible::NoArray));
    let indexes = Indexes::of_size(10);
    spec.array = Some(ArraySpec { indexes, max_concurrency: None, sequential: false });
    assert_eq!(CoalesceRule::check(&spec), Ok(()));

    let mut other = spec.clone();
    other.container.command.clear();
    assert_eq!(CoalesceRule::check(&other), Err(NotCoalescible::NoCommand));
    let mut other = spec.clone();
    other.container.log_driver = LogDriver::Splunk;
    assert_eq!(CoalesceRule::check(&other), Err(NotCoalescible::NoLog));
    spec.array = Some(ArraySpec { indexes, max_concurrency: None, sequential: true });
    assert_eq!(CoalesceRule::check(&spec), Err(NotCoalescible::Sequential));
}

#[test]
fn a_task_reserves_what_runs_side_by_side_and_may_take_as_many_waves() {
    let n = |n| NonZeroU32::new(n).unwrap();
    let rule = CoalesceRule { size: n(50), parallel: n(4) };
    let each = Resources::new(CpuUnits::new(512), MiB::new(1_000), 0);

    let four = Resources::new(CpuUnits::new(2_048), MiB::new(4_000), 0);
    assert_eq!(rule.need(&each, n(50)), with_runner(four));
    assert_eq!(rule.need(&each, n(1)), with_runner(each), "the last task of an array may be small");
    assert_eq!(rule.time(SignedDuration::from_mins(1), n(50)), SignedDuration::from_mins(13));
}

proptest! {
    #[test]
    fn whatever_a_log_holds_a_report_names_no_child_twice(
        lines in prop::collection::vec("(x|::spillway k (start|end) [0-3] [0-2]( exit=[0-9]{1,3} ms=[0-9]{1,4})?)", 0..40),
    ) {
        let report = Report::read("k", lines.iter().map(String::as_str));

        for started in &report.started {
            prop_assert!(!report.ended.contains_key(started));
        }
        let n_ends = lines.iter().filter(|line| line.contains(" end ")).count();
        prop_assert!(report.ended.len() <= n_ends);
    }
}
