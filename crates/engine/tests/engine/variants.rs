//! Jobs with alternatives, from their message to their start: which is run, with what, and what is told of it.

use spillway_core::task::TaskStatus;
use spillway_core::{Arch, GpuKinds, JobId, KindId, MiB, VariantOrd};
use spillway_engine::{Caps, EngineConfig, QueueRules};

use crate::rig::{Rig, job_id, message, secs};

/// A job whose second alternative asks for what `catalog` has and whose first asks for what it has not.
const ON_GPU_OR_CPU: &str = r#","variants":[{"image":"tool:cpu","resourceRequirements":
    [{"type":"GPU","value":"0"},{"type":"MEMORY","value":"2048"}],"expectedDurationSeconds":1200}]"#;

fn with_gpu(token: &str, spillway: &str, extra: &str) -> String {
    message(token, spillway, extra).replacen(
        r#""resourceRequirements":["#,
        r#""resourceRequirements":[{"type":"GPU","value":"1"},"#,
        1,
    )
}

fn config() -> EngineConfig {
    let queues = vec!["default".parse().unwrap()];
    EngineConfig { queues, ..EngineConfig::default() }
}

/// Provides hosts until a job starts, and brings it as far as RUNNING.
fn run(rig: &mut Rig, body: String, job: JobId) -> spillway_core::effect::TaskRequest {
    rig.send(body);
    let mut n_given = 0;
    let start = rig.provide(&mut n_given).pop().expect("it starts");
    rig.accept(&start);
    rig.runs(job);
    start
}

#[test]
fn a_job_is_started_as_the_alternative_that_can_be_had() {
    let mut rig = Rig::new();
    let job = job_id("a");

    let start = run(&mut rig, with_gpu("a", ON_GPU_OR_CPU, ""), job);

    assert_eq!(start.spec.container.image, "tool:cpu");
    assert_eq!((start.spec.resources.gpus, start.spec.resources.memory), (0, MiB::new(2048)));
    assert_eq!(start.spec.gpu_kinds, GpuKinds::ANY);
    assert_eq!(start.environment.get("SPILLWAY_VARIANT").map(String::as_str), Some("1"));
    assert_eq!(rig.jobs[&job].variant(), VariantOrd::new(1));
}

#[test]
fn an_attempt_keeps_which_alternative_it_was_and_what_that_took_is_learnt_of_it_alone() {
    let mut rig = Rig::new();
    let job = job_id("a");
    run(&mut rig, with_gpu("a", ON_GPU_OR_CPU, ""), job);
    let spec = rig.spec(job);
    rig.wait(secs(500));

    rig.exits(job, 0);

    assert_eq!(rig.jobs[&job].attempts[0].variant, VariantOrd::new(1));
    let kinds = [VariantOrd::BASE, VariantOrd::new(1)].map(|ord| KindId::of_variant(&spec, ord));
    assert_ne!(kinds[0], kinds[1]);
    assert_eq!(KindId::of(&spec), kinds[0]);
}

#[test]
fn a_job_without_alternatives_is_told_of_none() {
    let mut rig = Rig::new();

    let start = run(&mut rig, message("a", "", ""), job_id("a"));

    assert_eq!(start.environment.get("SPILLWAY_VARIANT"), None);
}

#[test]
fn a_job_is_refused_only_if_none_of_its_alternatives_fits_anything() {
    let mut rig = Rig::new();
    let on_gpus = r#","variants":[{"resourceRequirements":[{"type":"GPU","value":"2"}]}]"#;

    rig.send(with_gpu("none", on_gpus, ""));
    rig.send(with_gpu("one", ON_GPU_OR_CPU, ""));
    rig.wait(secs(1));

    assert_eq!(rig.status(job_id("none")), "FAILED");
    assert_eq!(rig.status(job_id("one")), "RUNNABLE");
    let reason = rig.jobs[&job_id("none")].reason().unwrap().to_owned();
    assert!(reason.contains("nor does any of its variants"), "{reason}");
}

#[test]
fn a_child_of_an_array_runs_as_an_alternative_too() {
    let mut rig = Rig::new();
    rig.send(with_gpu("a", ON_GPU_OR_CPU, r#","arrayProperties":{"size":2}"#));
    let mut n_given = 0;

    let starts = rig.provide(&mut n_given);

    assert_eq!(starts.len(), 2);
    assert!(starts.iter().all(|start| start.spec.container.image == "tool:cpu"));
}

#[test]
fn more_memory_after_running_out_of_it_is_more_of_what_the_alternative_asks_for() {
    let mut rig = Rig::new();
    let job = job_id("a");
    let growth = format!(r#","growMemory":{{"percent":50,"maxMemory":"8192"}}{ON_GPU_OR_CPU}"#);
    let body = with_gpu("a", &growth, r#","retryStrategy":{"attempts":2}"#);
    run(&mut rig, body, job);

    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.exit_code = Some(137);
        task.stop_code = Some("EssentialContainerExited".into());
        task.container_reason = Some("OutOfMemoryError: Container killed".into());
    });
    let mut n_given = 10;
    rig.wait(secs(2));
    let again = rig.provide(&mut n_given).pop().expect("it is started again");

    assert_eq!(again.spec.resources.memory, MiB::new(3072));
    assert_eq!(again.environment.get("SPILLWAY_VARIANT").map(String::as_str), Some("1"));
}

#[test]
fn after_a_restart_the_attempt_is_still_the_alternative_it_was() {
    let mut rig = Rig::new();
    let job = job_id("a");
    run(&mut rig, with_gpu("a", ON_GPU_OR_CPU, ""), job);

    rig.restart();

    assert_eq!(rig.jobs[&job].need().gpus, 0);
    rig.exits(job, 0);
    assert_eq!(rig.status(job), "SUCCEEDED");
}

#[test]
fn every_alternative_must_be_allowed_and_the_refusal_says_which_is_not() {
    let mut config = config();
    config.jobs.rules.images = vec!["busybox*".to_owned(), "tool:arm".to_owned()];
    let mut rig = Rig::with(config);

    rig.send(message("a", r#","variants":[{"image":"tool:arm"},{"image":"evil:1"}]"#, ""));
    rig.send(message("b", r#","variants":[{"image":"tool:arm"}]"#, ""));
    rig.wait(secs(1));

    assert_eq!(rig.status(job_id("a")), "FAILED");
    let reason = rig.jobs[&job_id("a")].reason().unwrap().to_owned();
    assert!(reason.contains("spillway.variants[1].image"), "{reason}");
    assert_ne!(rig.status(job_id("b")), "FAILED");
}

#[test]
fn an_alternative_above_a_cap_is_left_out_and_the_others_run() {
    let mut config = config();
    let caps = Caps { cpu_max: Some(spillway_core::CpuUnits::from_vcpus(1)), ..Caps::default() };
    let rules = QueueRules { caps, ..QueueRules::default() };
    config.queue_rules.insert("default".parse().unwrap(), rules);
    let mut rig = Rig::with(config);
    let large = r#","variants":[{"image":"large","resourceRequirements":
        [{"type":"VCPU","value":"2"}]}]"#;

    let start = run(&mut rig, message("a", large, ""), job_id("a"));

    assert_eq!(start.environment.get("SPILLWAY_VARIANT").map(String::as_str), Some("0"));
    assert_eq!(start.spec.arch, Some(Arch::X86_64));
}
