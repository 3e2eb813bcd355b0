//! The contract of EC2: a token buys once, what was bought is seen, what was ended stays ended.

use spillway_core::effect::{LaunchAnswer, LaunchRequest};
use spillway_core::id::LaunchId;
use spillway_core::launch::PoolChoice;
use spillway_core::port::Compute as _;
use spillway_core::task::{InstanceReport, InstanceStatus};
use spillway_core::{Arch, InstanceId, Market, Offering};

use super::{World, eventually, prices};

/// The cheapest offering of this market that has two vCPUs at least, on x86: the emulator's images are for it.
pub async fn cheapest<W: World>(world: &W, market: Market) -> Offering {
    let catalog = prices::catalog(world).await;
    let mut fitting: Vec<&Offering> = catalog
        .offerings()
        .iter()
        .filter(|o| o.pool.market == market && o.arch == Arch::X86_64)
        .filter(|o| o.capacity.cpu.get() >= 2048)
        .collect();
    fitting.sort_by_key(|o| (o.price, &o.pool));
    (*fitting.first().expect("something is on offer")).clone()
}

/// A request to buy `count` hosts of one offering; `ord` tells requests of one world apart.
pub fn request<W: World>(world: &W, offering: &Offering, count: u32, ord: u64) -> LaunchRequest {
    let launch = LaunchId::derive(world.ledger(), ord);
    LaunchRequest {
        launch,
        token: spillway_core::ClientToken::of_launch(launch),
        market: offering.pool.market,
        arch: offering.arch,
        choices: vec![PoolChoice { pool: offering.pool.clone(), price: offering.price }],
        count,
    }
}

/// Buys; all must come.
pub async fn launch<W: World>(world: &W, request: &LaunchRequest) -> LaunchAnswer {
    let answer = world.compute().launch(request).await.expect("EC2 answers");
    assert_eq!(answer.instances.len(), usize::try_from(request.count).expect("few"), "{answer:?}");
    answer
}

async fn report<W: World>(world: &W, id: &InstanceId) -> Option<InstanceReport> {
    let all = world.compute().instances().await.expect("EC2 can be read");
    all.into_iter().find(|report| report.id == *id)
}

async fn is_over<W: World>(world: &W, id: &InstanceId) -> Option<()> {
    let report = report(world, id).await;
    report.is_none_or(|r| r.status == InstanceStatus::Terminated).then_some(())
}

/// Hosts come from the pool that was asked for, and carry the launch they came from.
pub async fn what_was_bought_is_seen_with_its_launch<W: World>(world: &W) {
    for (ord, market) in [(1, Market::OnDemand), (2, Market::Spot)] {
        let request = request(world, &cheapest(world, market).await, 2, ord);

        let answer = launch(world, &request).await;

        assert_eq!(answer.errors, []);
        for instance in &answer.instances {
            assert_eq!(instance.pool, request.choices[0].pool);
            let seen = async || report(world, &instance.id).await;
            let seen = eventually(world, "the instance in the list", seen).await;
            assert_eq!(seen.pool, instance.pool);
            assert_eq!(seen.arch, request.arch);
            assert_eq!(seen.launch, Some(request.launch));
            assert!(matches!(seen.status, InstanceStatus::Pending | InstanceStatus::Running));
        }
    }
}

/// The same token again is the same call: the same instances, and no more of them.
pub async fn a_token_buys_once<W: World>(world: &W) {
    let request = request(world, &cheapest(world, Market::OnDemand).await, 2, 3);

    let first = launch(world, &request).await;
    let again = launch(world, &request).await;

    let ids = |answer: &LaunchAnswer| {
        let mut ids: Vec<_> = answer.instances.iter().map(|i| i.id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&first), ids(&again));
    eventually(world, "both instances in the list", async || {
        let all = world.compute().instances().await.expect("EC2 can be read");
        let of_launch = all.iter().filter(|i| i.launch == Some(request.launch)).count();
        assert!(of_launch <= 2, "{of_launch} instances for one token");
        (of_launch == 2).then_some(())
    })
    .await;
}

/// An instance that was ended is shown as ended, then not at all; ending it again is no error.
pub async fn an_ended_instance_stays_ended<W: World>(world: &W) {
    let request = request(world, &cheapest(world, Market::OnDemand).await, 1, 4);
    let id = launch(world, &request).await.instances[0].id.clone();
    eventually(world, "the instance in the list", async || report(world, &id).await).await;

    world.compute().terminate(std::slice::from_ref(&id)).await.expect("it can be ended");
    eventually(world, "the end of the instance", async || is_over(world, &id).await).await;

    assert_eq!(world.compute().terminate(std::slice::from_ref(&id)).await, Ok(()));
    assert_eq!(is_over(world, &id).await, Some(()));
}
