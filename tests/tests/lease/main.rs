//! Every order of events that two dispatchers, one ledger and AWS can get into around the lease, the intent and the client token, with
//! a few mishaps in each: none loses the job, starts an attempt twice or leaves an instance to nobody.
//!
//! It is a model of the design, not of the code: `crates/sim` runs the code, on one order of events for each seed. That the model would
//! find something is shown by designs that are broken on purpose.

mod model;
mod world;

use stateright::{Checker, Model};

use model::{Design, Lease};

/// So many mishaps are in one run together: crashes, pauses, lost answers, redeliveries, dead machines, hours that pass.
const MISHAPS: u8 = 3;

fn check(design: Design, n_mishaps: u8) -> impl Checker<Lease> {
    Lease { design, n_mishaps }.checker().spawn_bfs().join()
}

/// The names of the properties that a design breaks.
fn broken(design: Design) -> Vec<&'static str> {
    let checker = check(design, 2);
    let mut names: Vec<&'static str> = checker.discoveries().into_keys().collect();
    names.retain(|name| !name.starts_with("it happens"));
    names.sort_unstable();
    names
}

#[test]
fn no_order_of_events_loses_the_job_or_starts_an_attempt_twice_or_leaves_an_instance() {
    let checker = check(Design::Sound, MISHAPS);

    checker.assert_properties();
    assert!(10_000 < checker.unique_state_count(), "{} states", checker.unique_state_count());
}

#[test]
fn a_ledger_that_takes_the_writes_of_a_leader_that_was_deposed_is_found() {
    assert_ne!(broken(Design::Unfenced), [""; 0]);
}

#[test]
fn a_token_that_is_drawn_anew_for_each_call_is_found() {
    assert_ne!(broken(Design::TokenOfCall), [""; 0]);
}

#[test]
fn an_instance_that_nobody_looks_for_by_its_tag_is_found() {
    assert_ne!(broken(Design::NoAdoption), [""; 0]);
}

#[test]
fn a_message_that_is_deleted_before_its_job_is_durable_is_found() {
    assert_ne!(broken(Design::DeletesFirst), [""; 0]);
}

#[test]
fn a_start_that_is_sent_again_after_ecs_has_forgotten_its_token_is_found() {
    assert_ne!(broken(Design::SendsOldStarts), [""; 0]);
}
