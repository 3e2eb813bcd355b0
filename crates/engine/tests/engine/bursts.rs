//! Bursts: what is dearer than may be spent without being asked is held until somebody approves it.

use spillway_core::effect::DeadLetter;
use spillway_core::{BurstHash, Effect, HeldBurst, MicroUsdPerHour, message as order};
use spillway_engine::{EngineConfig, limits};

use crate::rig::{Rig, job_id, message, secs};

/// Two Spot hosts of two vCPUs cost 6.2 cents an hour, or 6.4.
const TWO_HOSTS: MicroUsdPerHour = MicroUsdPerHour::new(70_000);

fn config() -> EngineConfig {
    let queues = vec!["default".parse().unwrap()];
    let mut config = EngineConfig { queues, ..EngineConfig::default() };
    config.limits.approve_over = Some(TWO_HOSTS);
    config
}

/// Jobs that fill a host of two vCPUs each.
fn send(rig: &mut Rig, names: &[&str]) {
    let two = r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#;
    for name in names {
        rig.send(message(name, "", two));
    }
}

/// A fleet that has grown to what may be spent, with four more jobs that wait.
fn held(config: EngineConfig) -> (Rig, u32) {
    let mut rig = Rig::with(config);
    send(&mut rig, &["a", "b", "c", "d", "e", "f"]);
    let mut n_given = 1;
    rig.wait(secs(3));
    buy(&mut rig, &mut n_given);
    (rig, n_given)
}

/// EC2 gives what was asked for; returns how many hosts that are.
fn buy(rig: &mut Rig, n_given: &mut u32) -> u32 {
    let launches = rig.take_launches();
    for launch in &launches {
        rig.give(launch, *n_given);
        *n_given += launch.count;
    }
    launches.iter().map(|launch| launch.count).sum()
}

fn of(rig: &Rig) -> HeldBurst {
    rig.engine.burst().held.expect("something is held")
}

fn approve(rig: &mut Rig, hash: BurstHash, sender: Option<&str>) -> Vec<DeadLetter> {
    rig.send_as(order::approve_burst(hash).to_string(), sender);
    let letter = |effect: &Effect| match effect {
        Effect::DeadLetter(letter) => Some(letter.clone()),
        _ => None,
    };
    rig.effects.iter().filter_map(letter).collect()
}

#[test]
fn up_to_what_may_be_spent_is_bought_and_the_rest_is_held() {
    let (mut rig, n_given) = held(config());

    rig.wait(secs(600));

    assert_eq!(n_given - 1, 2);
    assert!(rig.take_launches().is_empty());
    // Six hosts cost 18 cents at 3 and 19.2 at 3.2.
    let price = of(&rig).price.get();
    assert!((180_000..=200_000).contains(&price), "{price}");
    assert_eq!(price % 10_000, 0, "it is round");
}

#[test]
fn what_is_approved_is_bought() {
    let (mut rig, mut n_given) = held(config());
    let hash = of(&rig).hash();

    let letters = approve(&mut rig, hash, Some("AROAOPS:me"));
    rig.wait(secs(3));

    assert_eq!(letters, []);
    assert_eq!(buy(&mut rig, &mut n_given), 4);
    let burst = rig.engine.burst();
    assert_eq!(burst.held, None);
    assert_eq!(burst.approved.as_ref().unwrap().sender.as_deref(), Some("AROAOPS:me"));
}

#[test]
fn what_is_wanted_beyond_an_approval_is_held_under_another_name() {
    let (mut rig, mut n_given) = held(config());
    let first = of(&rig);
    approve(&mut rig, first.hash(), None);
    rig.wait(secs(3));
    buy(&mut rig, &mut n_given);

    send(&mut rig, &["g", "h", "i", "j"]);
    rig.wait(secs(90));

    assert_eq!(buy(&mut rig, &mut n_given), 0, "all that was approved is bought");
    let second = of(&rig);
    assert!(first.price < second.price, "{first:?} {second:?}");
    let letters = approve(&mut rig, second.hash(), None);
    rig.wait(secs(3));
    assert_eq!(letters, []);
    assert_eq!(buy(&mut rig, &mut n_given), 4);
}

#[test]
fn a_name_stays_good_while_what_is_wanted_is_about_the_same() {
    let (mut rig, _) = held(config());
    let before = of(&rig);

    let cancel = order::end_job(order::Ending::Cancel, job_id("f").into(), "not needed");
    rig.send(cancel.to_string());
    rig.wait(secs(120));

    assert_eq!(of(&rig), before);
}

#[test]
fn an_order_that_is_out_of_date_is_refused_and_one_that_comes_twice_is_not() {
    let (mut rig, _) = held(config());
    let hash = of(&rig).hash();
    let other: BurstHash = "00000000".parse().unwrap();

    let refused = approve(&mut rig, other, None);
    rig.take_effects();
    let once = approve(&mut rig, hash, None);
    let twice = approve(&mut rig, hash, None);

    assert_eq!(refused[0].code, "UNKNOWN_BURST");
    assert!(refused[0].reason.contains(&hash.to_string()), "{}", refused[0].reason);
    assert_eq!((once, twice), (vec![], vec![]));
}

#[test]
fn only_those_may_approve_who_are_named() {
    let mut config = config();
    config.limits.approvers = vec!["AROAOPS:*".to_owned()];
    let (mut rig, _) = held(config);
    let hash = of(&rig).hash();

    let unknown = approve(&mut rig, hash, None);
    rig.take_effects();
    let other = approve(&mut rig, hash, Some("AROADEV:me"));
    rig.take_effects();
    let one = approve(&mut rig, hash, Some("AROAOPS:me"));

    assert_eq!((unknown[0].code.as_str(), other[0].code.as_str()), ("NOT_ALLOWED", "NOT_ALLOWED"));
    assert_eq!(one, []);
}

#[test]
fn an_approval_is_for_one_burst() {
    let (mut rig, mut n_given) = held(config());
    let hash = of(&rig).hash();
    approve(&mut rig, hash, None);
    rig.wait(secs(3));
    buy(&mut rig, &mut n_given);
    for n in 1..n_given {
        rig.register(n);
    }
    rig.wait(secs(3));
    for start in rig.take_starts() {
        rig.accept(&start);
        rig.runs(start.job);
        rig.exits(start.job, 0);
    }

    rig.wait(secs(600));
    for n in 1..n_given {
        rig.terminated(n);
    }
    rig.wait(secs(600));
    rig.take_effects();

    assert!(rig.engine.burst().is_none(), "{:?}", rig.engine.burst());
    send(&mut rig, &["g", "h", "i", "j"]);
    rig.wait(secs(3));
    assert_eq!(buy(&mut rig, &mut n_given), 2);
    assert_ne!(of(&rig).hash(), hash);
}

#[test]
fn an_approval_of_yesterday_is_over_where_somebody_always_waits() {
    let (mut rig, mut n_given) = held(config());
    let hash = of(&rig).hash();
    approve(&mut rig, hash, None);
    rig.wait(secs(3));
    buy(&mut rig, &mut n_given);
    send(&mut rig, &["g", "h", "i", "j"]);

    rig.wait(limits::APPROVAL_KEPT + secs(60));

    assert_eq!(rig.engine.burst().approved, None);
}

#[test]
fn what_is_held_and_what_is_approved_is_known_to_the_next_dispatcher() {
    let (mut rig, mut n_given) = held(config());
    let held = of(&rig);

    rig.restart_after(secs(1));
    assert_eq!(of(&rig), held);
    approve(&mut rig, held.hash(), None);
    rig.restart_after(secs(1));
    rig.wait(secs(3));

    assert_eq!(rig.engine.burst().approved.as_ref().map(|a| a.held), Some(held));
    assert_eq!(buy(&mut rig, &mut n_given), 4);
}

#[test]
fn a_limit_cannot_be_approved_away() {
    let mut config = config();
    config.limits.price_max = Some(MicroUsdPerHour::new(130_000));
    let (mut rig, mut n_given) = held(config);
    let held = of(&rig);

    approve(&mut rig, held.hash(), None);
    rig.wait(secs(120));

    assert_eq!(held.price.get(), 130_000);
    assert_eq!(buy(&mut rig, &mut n_given), 2);
    assert_eq!(rig.engine.burst().held, None, "more could not be bought");
}
