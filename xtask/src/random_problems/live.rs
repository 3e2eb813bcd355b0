//! A live fleet: jobs come and end other than expected, hosts boot, are lost, or register with less than was thought,
//! pools run dry, limits move. At every step the dispatcher's planner is asked, its plan is judged, carried out, and
//! asked for again.

mod fleet;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use spillway_core::plan::Headroom;
use spillway_core::{
    Catalog, CpuUnits, Hazard, Market, MicroUsdPerHour, Offering, PlanInput, PlanPolicy, Planned,
    Planner as _, Quotas,
};
use spillway_planner::Spillway;
use spillway_planner::check::check;
use spillway_planner::problem::Problem;

use super::draw::Draw;
use super::files::{Fault, same};
use super::tally::Tally;
use super::{jobs, market};
use fleet::Fleet;

/// Steps of one fleet, at most.
const STEPS_MAX: u32 = 8;

/// Lives through some steps.
pub(crate) fn judge(draw: &mut Draw, tally: &mut Tally) -> Result<(), Fault> {
    let offers = market::offers(draw, 4);
    let n_kinds = draw.between(1, 12);
    let kinds = jobs::lines(draw, &offers, n_kinds, 20);
    let question = Problem { offers, jobs: kinds }.to_input()?;
    let mut offerings: Vec<Offering> = question.catalog.offerings().to_vec();
    for offering in &mut offerings {
        let hazard = draw.one_of(&[0, 0, 100, 100_000, 2_000_000]);
        if offering.pool.market == Market::Spot {
            offering.hazard = Hazard::per_million_hours(hazard);
        }
    }
    let kinds = question.demands.iter().map(|demand| (demand.key, demand.count)).collect();
    let policy = policy(draw);
    let mut fleet = Fleet::new(Catalog::new(Timestamp::UNIX_EPOCH, offerings), kinds)?;
    let mut spillway = Spillway::default();
    for _ in 0..draw.between(1, STEPS_MAX) {
        fleet.live(draw, &policy);
        let headroom = headroom(draw, &fleet)?;
        let input = fleet.question(headroom);
        // Everything at once, as if durations did not count.
        let at_once = spillway_planner::plan(&input, &policy);
        is_sound(&input, &policy, &at_once, "of all at once")?;

        let mut before = spillway.clone();
        let planned = spillway.plan(&input, &policy);
        tally.plans += 1;
        is_sound(&input, &policy, &planned, "over time")?;
        tally.checked += 1;

        let other = before.plan(&shuffled(&input, draw), &policy);
        same(&other, &planned, "a fleet in another order is planned differently")?;
        tally.shuffled += 1;

        fleet.carry_out(&planned, draw, &policy)?;
        if fleet.is_as_planned() {
            let headroom = headroom_left(headroom, &planned);
            let after = fleet.question(headroom);
            let again = spillway.clone().plan(&after, &policy);
            is_sound(&after, &policy, &again, "made again")?;
            let is_settled = again.plan.launches.is_empty() && fleet.is_only_what_is_kept(&again);
            same(&is_settled, &true, "a plan that was carried out leaves something to do")?;
            tally.settled += 1;
        }
    }
    Ok(())
}

/// Whether the checker finds nothing wrong.
fn is_sound(
    input: &PlanInput,
    policy: &PlanPolicy,
    planned: &Planned,
    what: &str,
) -> Result<(), Fault> {
    if let Some(violation) = check(input, policy, planned).first() {
        return Err(format!("a plan {what}: {violation}").into());
    }
    let (bound, price) = (planned.report.bound, planned.plan.price());
    if price < bound {
        return Err(format!("a plan {what} costs {price}, its bound is {bound}").into());
    }
    Ok(())
}

fn policy(draw: &mut Draw) -> PlanPolicy {
    PlanPolicy {
        host_cpu_max: draw.percent(20).then(|| CpuUnits::from_vcpus(draw.between(1, 64))),
        choices_max: draw.index(6) + 1,
        choice_premium_percent: draw.below(30),
        boot_secs: draw.one_of(&[1, 30, 90, 90, 300]),
        ..PlanPolicy::default()
    }
}

/// Limits on what is bought next.
fn headroom(draw: &mut Draw, fleet: &Fleet) -> Result<Headroom, Fault> {
    if draw.percent(50) {
        return Ok(Headroom::default());
    }
    let n_hosts = u32::try_from(fleet.n_hosts()).unwrap_or(u32::MAX);
    let mut cpu = |percent| draw.percent(percent).then(|| CpuUnits::new(draw.magnitude(400_000)));
    let [all, spot, on_demand] = [40, 15, 15].map(&mut cpu);
    let mut quotas = Quotas::NONE;
    quotas.set("spot/standard".parse()?, spot);
    quotas.set("on-demand/standard".parse()?, on_demand);
    Ok(Headroom {
        hosts: draw.percent(40).then(|| draw.between(0, 12).saturating_sub(n_hosts)),
        cpu: all,
        price: draw.percent(40).then(|| MicroUsdPerHour::new(draw.magnitude(20_000_000).into())),
        quotas,
        ..Headroom::default()
    })
}

/// What limits leave once a plan was carried out.
fn headroom_left(mut headroom: Headroom, planned: &Planned) -> Headroom {
    for launch in &planned.plan.launches {
        let cpu = CpuUnits::new(launch.capacity.cpu.get() * launch.count);
        headroom.quotas.take(&launch.choices[0].pool, cpu);
        headroom.cpu = headroom.cpu.map(|left| CpuUnits::new(left.get() - cpu.get()));
    }
    let price = planned.plan.price().get();
    Headroom {
        hosts: headroom.hosts.map(|left| left - planned.plan.n_hosts()),
        price: headroom.price.map(|left| MicroUsdPerHour::new(left.get() - price)),
        ..headroom
    }
}

/// The same question with everything in another order.
fn shuffled(input: &PlanInput, draw: &mut Draw) -> PlanInput {
    let mut other = input.clone();
    draw.shuffle(&mut other.demands);
    draw.shuffle(&mut other.hosts);
    for host in &mut other.hosts {
        draw.shuffle(&mut host.reserved);
        draw.shuffle(&mut host.busy);
    }
    let mut offerings = other.catalog.offerings().to_vec();
    draw.shuffle(&mut offerings);
    other.catalog = Arc::new(Catalog::new(input.now, offerings));
    other
}

/// How long a pool that was dry is left alone.
const COOLDOWN: SignedDuration = SignedDuration::from_mins(3);
