//! Which container's end is the job's.

use proptest::prelude::*;

use super::*;
use crate::quantity::{CpuUnits, MiB};

fn role(name: &str, essential: bool) -> ContainerRole {
    ContainerRole {
        name: name.to_owned(),
        essential,
        depends_on: Vec::new(),
        start_timeout_secs: None,
        stop_timeout_secs: None,
        firelens: None,
    }
}

fn other(name: &str, essential: bool) -> TaskContainer {
    TaskContainer {
        role: role(name, essential),
        resources: Resources::new(CpuUnits::new(128), MiB::new(64), 0),
        container: ContainerSpec::new(name),
    }
}

/// `fetch` before the main container, `proxy` behind it; both are essential or not.
fn task(fetch: bool, proxy: bool) -> TaskSpec {
    TaskSpec {
        main: role("main", true),
        main_at: 1,
        others: vec![other("fetch", fetch), other("proxy", proxy)],
        ipc: None,
        pid: None,
    }
}

fn end(name: &str, exit_code: Option<i32>, reason: Option<&str>) -> ContainerEnd {
    ContainerEnd { name: name.to_owned(), exit_code, reason: reason.map(str::to_owned) }
}

/// The name of the decisive one of `fetch`, `main` and `proxy`, by their exit codes.
fn decisive(task: &TaskSpec, codes: [Option<i32>; 3]) -> String {
    let ends: Vec<ContainerEnd> =
        ["fetch", "main", "proxy"].into_iter().zip(codes).map(|(n, c)| end(n, c, None)).collect();
    task.decisive(&ends).expect("it has containers").name.clone()
}

#[test]
fn a_job_has_succeeded_if_its_essential_containers_have() {
    let one = task(false, false);

    assert_eq!(decisive(&one, [Some(0), Some(0), Some(143)]), "main");
    assert_eq!(decisive(&one, [Some(9), Some(0), Some(9)]), "main", "others may fail");
    let both = task(false, true);
    assert_eq!(decisive(&both, [Some(0), Some(0), Some(143)]), "proxy", "it was not done");
}

#[test]
fn of_several_that_failed_the_one_that_was_not_killed_is_decisive() {
    let both = task(false, true);

    assert_eq!(decisive(&both, [Some(0), Some(143), Some(3)]), "proxy");
    assert_eq!(decisive(&both, [Some(0), Some(4), Some(3)]), "main");
    assert_eq!(decisive(&both, [Some(0), Some(137), Some(143)]), "main");
    let killed = [
        end("main", Some(143), None),
        end("proxy", Some(137), Some("OutOfMemoryError: Container killed")),
    ];
    assert_eq!(both.decisive(&killed).unwrap().name, "proxy", "a reason tells who began it");
}

#[test]
fn a_container_that_never_ran_fails_by_what_it_waited_for() {
    let task = task(false, false);

    assert_eq!(decisive(&task, [Some(3), None, None]), "fetch");
    let unpulled = [
        end("fetch", None, Some("CannotPullContainerError: no such image")),
        end("main", None, None),
    ];
    assert_eq!(task.decisive(&unpulled).unwrap().name, "fetch");
    assert_eq!(decisive(&task, [None, None, None]), "main", "nobody says anything");
    assert_eq!(task.decisive(&[]), None);
}

#[test]
fn the_main_container_has_what_the_others_leave_and_stands_where_it_was() {
    let mut spec = JobSpec::new(
        "j".parse().unwrap(),
        "q".parse().unwrap(),
        ContainerSpec::new("main"),
        Resources::new(CpuUnits::new(1024), MiB::new(1000), 1),
    );
    spec.task = Some(Box::new(task(false, false)));

    let parts = spec.parts();

    let images: Vec<&str> = parts.iter().map(|part| part.container.image.as_str()).collect();
    assert_eq!(images, ["fetch", "main", "proxy"]);
    assert_eq!(parts[1].resources, Resources::new(CpuUnits::new(768), MiB::new(872), 1));
    assert_eq!(parts[0].role.unwrap().name, "fetch");
}

proptest! {
    #[test]
    fn a_job_succeeds_if_and_only_if_every_essential_container_exited_with_0(
        essential in any::<[bool; 2]>(),
        codes in prop::array::uniform3(prop::option::of(prop_oneof![Just(0), Just(1), Just(137), Just(143)])),
    ) {
        let task = task(essential[0], essential[1]);
        let must_succeed = [essential[0], true, essential[1]];
        let succeeded = must_succeed.iter().zip(codes).all(|(must, code)| !must || code == Some(0));

        let name = decisive(&task, codes);

        let at = ["fetch", "main", "proxy"].iter().position(|n| *n == name).unwrap();
        prop_assert_eq!(codes[at] == Some(0), succeeded, "{} decides", name);
    }
}
