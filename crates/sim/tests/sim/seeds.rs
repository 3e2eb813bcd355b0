//! Seeds that broke something once, each with the fewest faults that it took: the control loop or the checker was mended, and they stay so.
//!
//! What a seed draws changes with the generator of random scenarios; what was wrong is said by a test of its own too, where it was the
//! control loop.

use spillway_sim::{dst, run};

/// Runs a seed without some of its parts, named as `cargo xtask dst` prints them.
fn assert_mended(seed: u64, without: &str) {
    // They were found when no job had several nodes.
    assert_mended_with_nodes(seed, &format!("{without},{}", dst::MULTI_NODE));
}

/// The same where jobs may have several nodes.
fn assert_mended_with_nodes(seed: u64, without: &str) {
    let without = without.split(',').map(str::to_owned).collect();

    let outcome = run::run(&dst::scenario(seed, &without), None).unwrap();

    assert_eq!(outcome.violations, [], "seed {seed}");
    assert!(outcome.converged, "seed {seed}");
}

#[test]
fn seed_738_an_idle_host_outlives_every_dispatcher_that_dies() {
    assert_mended(
        738,
        "clock_skews,event_losses,foreign_events,host_deaths,late_notices,missing_notices,pull_failures,raw-0,redrives,\
         slow_pulls,stuck_stops,surplus_hosts,throttled_calls,unsettled_calls",
    );
}

#[test]
fn seed_1098_an_idle_host_outlives_every_dispatcher_that_dies_with_two_kinds_of_jobs() {
    assert_mended(
        1098,
        "clock_skews,event_losses,foreign_events,host_hangs,host_stops,long_outages,message_duplicates,missing_notices,\
         outage-0,pull_failures,stale_reads,surplus_hosts,unregistered_hosts,unsettled_calls",
    );
}

#[test]
fn seed_1760_an_idle_host_whose_agent_comes_and_goes_outlives_every_dispatcher() {
    assert_mended(
        1760,
        "clock_skews,host_deaths,host_hangs,host_stops,jobs-0,jobs-1,missing_notices,rebalances,reclaim-0,stale_reads",
    );
}

#[test]
fn seed_1866_hosts_of_another_quota_are_bought_after_ec2_gave_more_than_a_quota_allows() {
    assert_mended(
        1866,
        "agent_absences,clock_leaps,foreign_events,host_deaths,host_hangs,jobs-2,jobs-3,long_outages,message_duplicates,\
         odd_ends,outage-0,pull_failures,raw-0,rebalances,reclaim-0,redrives,splits,stale_reads,throttled_calls,\
         unregistered_hosts,unsettled_calls",
    );
}

#[test]
fn seed_782_a_host_that_ec2_gave_unasked_is_beyond_a_quota_that_nothing_is_bought_from() {
    assert_mended(
        782,
        "agent_absences,crashes,host_stops,jobs-3,long_outages,message_duplicates,missing_notices,pull_failures,reclaim-0,\
         redrives,slow_pulls,stale_reads",
    );
}

#[test]
fn seed_1039_news_of_an_exit_is_heard_when_ecs_has_long_forgotten_its_task() {
    assert_mended(1039, "outage-0,outage-2,raw-0");
}

#[test]
fn seed_1066_news_of_an_exit_waits_for_a_dispatcher_that_is_away_for_a_day() {
    assert_mended(
        1066,
        "agent_absences,clock_leaps,dry_pools,event_losses,host_hangs,jobs-1,late_notices,message_duplicates,\
         missing_notices,outage-0,pull_failures,raw-0,rebalances,redrives,slow_pulls,splits,stuck_stops,throttled_calls,\
         unsettled_calls",
    );
}

#[test]
fn seed_1381_an_order_is_read_before_its_job_after_nobody_has_read_the_queue() {
    assert_mended(
        1381,
        "clock_leaps,event_losses,host_deaths,late_notices,list_gaps,long_outages,missing_notices,odd_ends,raw-0,slow_pulls,\
         surplus_hosts,unregistered_hosts",
    );
}

#[test]
fn seed_148_a_task_that_a_dispatcher_with_another_clock_started_seems_old_and_missing() {
    assert_mended(
        148,
        "crashes,dry_pools,host_deaths,host_stops,late_notices,list_gaps,long_outages,rebalances,stuck_stops,surplus_hosts,\
         throttled_calls",
    );
}

#[test]
fn seed_819_an_instance_that_lists_leave_out_is_found_again_and_ended() {
    assert_mended(
        819,
        "jobs-1,jobs-2,late_notices,outage-0,redrives,slow_pulls,surplus_hosts,throttled_calls,unsettled_calls",
    );
}

#[test]
fn seed_1176_room_is_made_for_a_job_of_alternatives_that_the_plan_left_out() {
    assert_mended(
        1176,
        "agent_absences,clock_leaps,clock_skews,dry_pools,foreign_events,host_hangs,jobs-2,late_notices,long_outages,\
         message_duplicates,missing_notices,rebalances,redrives,slow_pulls,stale_reads,stuck_stops,surplus_hosts",
    );
}

#[test]
fn seed_50_an_instance_that_lists_left_out_is_found_though_looks_fail() {
    assert_mended(
        50,
        "agent_absences,clock_skews,host_hangs,host_stops,late_notices,log_delays,log_losses,odd_ends,outage-0,outage-1,\
         pull_failures,rebalances,stale_reads,stuck_stops,unregistered_hosts",
    );
}

#[test]
fn seed_771_a_shared_task_that_ecs_did_not_know_for_a_while_has_not_ended() {
    assert_mended(
        771,
        "event_duplicates,host_deaths,jobs-1,late_notices,list_gaps,long_outages,message_duplicates,missing_notices,multi-node,\
         rebalances,unregistered_hosts",
    );
}

#[test]
fn seed_1559_what_could_not_be_read_of_a_report_is_not_what_it_does_not_tell() {
    assert_mended(
        1_559,
        "clock_skews,foreign_events,host_deaths,host_hangs,host_stops,late_notices,list_gaps,long_outages,missing_notices,outage-0,\
         outage-1,rebalances,reclaim-0,slow_pulls,stuck_stops,surplus_hosts",
    );
}

#[test]
fn seed_291_hosts_are_not_kept_for_one_multi_node_job_after_another() {
    assert_mended_with_nodes(291, "jobs-0");
}
