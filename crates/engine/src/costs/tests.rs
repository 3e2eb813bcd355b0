//! Bills divided by hand, and by the thousand.

use proptest::prelude::*;
use spillway_core::catalog::PoolId;
use spillway_core::host::{DrainCause, Instance};
use spillway_core::{Arch, CpuUnits, MiB, MicroUsdPerHour, Resources, cost};

use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap()
}

/// A Spot host of 4 vCPUs at $0.36 an hour ($1.08 On-Demand), launched at 0, registered at 100, gone at `end`.
fn host(end: i64, drained_at: Option<i64>) -> Host {
    let price = MicroUsdPerHour::new(360_000);
    Host {
        id: HostId::adopted(&"i-0123456789abcdef0".parse().unwrap()),
        launch: None,
        pool: PoolId {
            instance_type: "c7i.xlarge".into(),
            zone: "us-east-1a".parse().unwrap(),
            market: Market::Spot,
        },
        arch: Arch::X86_64,
        gpu: None,
        price,
        extras: MicroUsdPerHour::ZERO,
        on_demand_price: Some(MicroUsdPerHour::new(1_080_000)),
        capacity: Resources::new(CpuUnits::from_vcpus(4), MiB::from_gib(8), 0),
        hazard: spillway_core::Hazard::default(),
        reserved: Vec::new(),
        registered_at: Some(at(100)),
        drained_at: drained_at.map(at),
        state: HostState::Gone {
            instance: Some(Instance {
                id: "i-0123456789abcdef0".parse().unwrap(),
                launched_at: at(0),
            }),
            at: at(end),
            cause: DrainCause::Idle,
            bill: cost::bill(price, at(0), at(end)),
        },
    }
}

fn place(from: i64, until: i64, micro: u64, owner: usize) -> Held<usize> {
    let cost = MicroUsd::new(micro);
    Held { from: at(from), until: at(until), cost, is_lost: owner == 9, owner }
}

fn sum_of<K>(postings: &[Posting<K>], kind: CostKind) -> u64 {
    postings.iter().filter(|p| p.kind == kind).map(|p| p.cost.get()).sum()
}

/// Of 100 micro-dollars a second 25 are for the root volume.
#[test]
fn what_is_not_the_instances_is_a_part_of_each_posting() {
    let host = Host { extras: MicroUsdPerHour::new(90_000), ..host(400, Some(360)) };
    let held = [place(100, 300, 8_000, 1)];

    let postings = postings(&host, &held, at(400));

    for posting in &postings {
        assert_eq!(posting.extras.get() * 4, posting.cost.get(), "{:?}", posting.kind);
    }
    let extras: u64 = postings.iter().map(|p| p.extras.get()).sum();
    assert_eq!(extras, 10_000);
}

/// At 100 micro-dollars a second: 100 s of boot; half of it for 200 s, with the other half unused; 60 s idle; 40 s of drain.
#[test]
fn a_bill_is_divided_by_what_it_was_paid_for() {
    let host = host(400, Some(360));
    let held = [place(100, 300, 8_000, 1), place(150, 250, 2_000, 9)];

    let postings = postings(&host, &held, at(9_999));

    let of = |kind| sum_of(&postings, kind);
    assert_eq!(of(CostKind::Boot), 10_000);
    assert_eq!((of(CostKind::Work), of(CostKind::Lost)), (8_000, 2_000));
    assert_eq!(of(CostKind::Unused), 10_000);
    assert_eq!((of(CostKind::Idle), of(CostKind::Drain)), (6_000, 4_000));
    let on_demand: u64 = postings.iter().map(|p| p.on_demand.get()).sum();
    assert_eq!(on_demand, 3 * 40_000, "three times as dear");
}

#[test]
fn a_host_that_never_registered_is_all_boot() {
    let host = Host { registered_at: None, ..host(700, Some(650)) };

    let postings = postings::<usize>(&host, &[], at(9_999));

    assert_eq!(sum_of(&postings, CostKind::Boot), 70_000);
    assert_eq!(postings.len(), 1);
}

#[test]
fn a_cost_is_cut_by_time_and_nothing_is_lost_between_the_pieces() {
    let host = host(400, None);
    let postings = postings(&host, &[place(100, 400, 7_001, 1)], at(9_999));
    let work = postings.iter().find(|p| p.kind == CostKind::Work).unwrap();

    let pieces = work.cut_at([at(50), at(200), at(300), at(900)]);

    let costs: Vec<u64> = pieces.iter().map(|piece| piece.cost.get()).collect();
    assert_eq!(costs, [2_333, 2_334, 2_334]);
    assert_eq!((pieces[0].from, pieces[2].until), (at(100), at(400)));
}

proptest! {
    #[test]
    fn whatever_was_held_the_postings_sum_to_the_bill(
        end in 1_i64..2_000,
        registered in proptest::option::of(0_i64..300),
        drained in proptest::option::of(0_i64..2_000),
        places in proptest::collection::vec((0_i64..2_500, 0_i64..900, 0_u64..60_000, 0_usize..10), 0..12),
        cuts in proptest::collection::btree_set(0_i64..2_000, 0..5),
        extras in 0_u64..360_000,
    ) {
        let extras = MicroUsdPerHour::new(extras);
        let host = Host { registered_at: registered.map(at), extras, ..host(end, drained) };
        let held: Vec<Held<usize>> = places
            .into_iter()
            .map(|(from, lasts, micro, owner)| place(from, from + lasts, micro, owner))
            .collect();

        let postings = postings(&host, &held, at(5_000));

        let total: u64 = postings.iter().map(|p| p.cost.get()).sum();
        prop_assert_eq!(total, host.bill(at(5_000)).get());
        for posting in &postings {
            let pieces = posting.cut_at(cuts.iter().map(|cut| at(*cut)));
            let of_pieces: u64 = pieces.iter().map(|piece| piece.cost.get()).sum();
            let on_demand: u64 = pieces.iter().map(|piece| piece.on_demand.get()).sum();
            prop_assert_eq!((of_pieces, on_demand), (posting.cost.get(), posting.on_demand.get()));
            let extras: u64 = pieces.iter().map(|piece| piece.extras.get()).sum();
            prop_assert_eq!(extras, posting.extras.get());
            prop_assert!(posting.extras <= posting.cost);
        }
    }
}
