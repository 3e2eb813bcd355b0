//! Hosts as launches: groups dealt back to hosts, and for each launch the pools that may serve it.

use spillway_core::launch::PoolChoice;
use spillway_core::plan::{DemandKey, Headroom, PlannedLaunch};
use spillway_core::{Catalog, MicroUsdPerHour, PlanPolicy};

use crate::amount::Amount;
use crate::buy::Packing;
use crate::deal::{Pile, deal};
use crate::demand::{ClassSet, Shape, arch_of, are_bought_alike};
use crate::headroom::Left;
use crate::improve::{classes, load};
use crate::limits::CHOICES_MAX;
use crate::prune::Offer;

/// The launches of a packing, in the order of their pools and contents.
pub(crate) fn launches(
    packing: &Packing,
    shapes: &[Shape],
    by_price: &[Offer],
    catalog: &Catalog,
    policy: &PlanPolicy,
    headroom: &Headroom,
) -> Vec<PlannedLaunch> {
    // What would be left if every launch were served by its dearest and largest choice.
    let mut slack = Left::of(headroom);
    for host in &packing.hosts {
        slack.take(&host.offer, host.count);
    }
    let mut piles: Vec<Pile<DemandKey>> = Vec::with_capacity(shapes.len());
    for shape in shapes {
        piles.push(Pile::new(shape.groups.iter().map(|g| (g.key, u64::from(g.count))).collect()));
    }
    let mut launches = Vec::with_capacity(packing.hosts.len());
    for host in &packing.hosts {
        let content =
            Held { load: load(&host.content, shapes), classes: classes(&host.content, shapes) };
        let (offer, count) = (&host.offer, host.count);
        let choices = choices(offer, count, &content, by_price, policy, &slack, |_| true);
        slack.set_aside(&host.offer, &choices, host.count);
        let choices = pools(&choices, catalog);
        let Some(offering) = catalog.offerings().get(host.offer.at) else { continue };
        for dealt in deal(&mut piles, &host.content, host.count) {
            let mut contents = dealt.contents;
            contents.sort_unstable();
            launches.push(PlannedLaunch {
                choices: choices.clone(),
                arch: arch_of(host.offer.class),
                capacity: offering.capacity,
                count: dealt.count,
                contents,
            });
        }
    }
    launches
}

/// So many equal hosts, each with these contents, and what they need at once.
pub(crate) struct Wanted {
    pub(crate) offer: Offer,
    pub(crate) count: u32,
    pub(crate) load: Amount,
    pub(crate) contents: Vec<(DemandKey, u32)>,
}

/// A launch for each of `wanted`, in their order.
pub(crate) fn launches_of(
    wanted: Vec<Wanted>,
    by_price: &[Offer],
    catalog: &Catalog,
    policy: &PlanPolicy,
    headroom: &Headroom,
) -> Vec<PlannedLaunch> {
    launches_where(wanted, by_price, catalog, policy, headroom, |_, _, _, _| true)
}

/// The same with alternatives of which `may_be` allows each: it is told the launch's place, what was planned, the
/// alternative and how many hosts, and what it allows is taken.
pub(crate) fn launches_where(
    wanted: Vec<Wanted>,
    by_price: &[Offer],
    catalog: &Catalog,
    policy: &PlanPolicy,
    headroom: &Headroom,
    mut may_be: impl FnMut(usize, &Offer, &Offer, u32) -> bool,
) -> Vec<PlannedLaunch> {
    let mut slack = Left::of(headroom);
    for host in &wanted {
        slack.take(&host.offer, host.count);
    }
    let mut launches = Vec::with_capacity(wanted.len());
    for (ord, Wanted { offer, count, load, contents }) in wanted.into_iter().enumerate() {
        let classes = contents.iter().map(|(key, _)| ClassSet::of(key));
        let content = Held { load, classes: classes.fold(ClassSet::ALL, ClassSet::and) };
        let may_be = |other: &Offer| may_be(ord, &offer, other, count);
        let choices = choices(&offer, count, &content, by_price, policy, &slack, may_be);
        slack.set_aside(&offer, &choices, count);
        let Some(offering) = catalog.offerings().get(offer.at) else { continue };
        let (arch, capacity) = (arch_of(offer.class), offering.capacity);
        let choices = pools(&choices, catalog);
        launches.push(PlannedLaunch { choices, arch, capacity, count, contents });
    }
    launches
}

/// What one host is to hold: what it needs at once, and where it may run.
struct Held {
    load: Amount,
    classes: ClassSet,
}

/// The planned offering, then others like it that hold the same and cost little more, cheapest first.
fn choices(
    planned: &Offer,
    count: u32,
    content: &Held,
    by_price: &[Offer],
    policy: &PlanPolicy,
    slack: &Left,
    mut may_be: impl FnMut(&Offer) -> bool,
) -> Vec<Offer> {
    let n_max = policy.choices_max.clamp(1, CHOICES_MAX);
    let percent = 100 + u128::from(policy.choice_premium_percent);
    let price_max = u128::from(planned.price) * percent / 100;
    let mut choices = vec![*planned];
    for offer in by_price {
        if n_max <= choices.len() || price_max < u128::from(offer.price) {
            break;
        }
        let is_alternative = offer.at != planned.at
            && are_bought_alike(offer.class, planned.class)
            && content.classes.has(offer.class)
            && content.load.fits(&offer.capacity)
            && slack.allows_instead(planned, offer, count)
            && may_be(offer);
        if is_alternative {
            choices.push(*offer);
        }
    }
    choices
}

fn pools(choices: &[Offer], catalog: &Catalog) -> Vec<PoolChoice> {
    let mut pools = Vec::with_capacity(choices.len());
    for choice in choices {
        if let Some(offering) = catalog.offerings().get(choice.at) {
            let price = MicroUsdPerHour::new(choice.price);
            pools.push(PoolChoice { pool: offering.pool.clone(), price });
        }
    }
    pools
}
