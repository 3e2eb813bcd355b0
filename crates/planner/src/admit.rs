//! Whether a job fits anything on offer at all, and if not, by how much.

use std::cmp::Ordering;

use spillway_core::plan::{DemandKey, NoFit};
use spillway_core::quantity::Dimension;
use spillway_core::{Catalog, Offering, PlanPolicy, Resources};

use crate::amount::Amount;
use crate::prune::is_allowed_size;

/// Whether some offering of the catalog, within the policy, can hold a job of this kind at all; else what binds.
///
/// Pools that are cooling down count: they will be back.
///
/// # Errors
/// What is missing: any offering of the job's architecture and market, or room in one dimension of the type that
/// comes nearest.
pub fn admit(key: &DemandKey, catalog: &Catalog, policy: &PlanPolicy) -> Result<(), NoFit> {
    if holders(key, catalog, policy).next().is_some() {
        return Ok(());
    }
    let is_any = allowed(key, catalog, policy).next().is_some();
    if is_any { Err(nearest(key, catalog, policy)) } else { Err(no_offering(key)) }
}

/// The offerings that can hold a job of this kind.
pub fn holders<'a>(
    key: &'a DemandKey,
    catalog: &'a Catalog,
    policy: &'a PlanPolicy,
) -> impl Iterator<Item = &'a Offering> {
    let need = Amount::of(&key.need);
    allowed(key, catalog, policy).filter(move |offering| need.fits(&Amount::of(&offering.capacity)))
}

/// The offerings that a job of this kind may run on, whether or not they can hold it.
fn allowed<'a>(
    key: &'a DemandKey,
    catalog: &'a Catalog,
    policy: &'a PlanPolicy,
) -> impl Iterator<Item = &'a Offering> {
    catalog.offerings().iter().filter(|offering| {
        key.allows(offering.traits()) && is_allowed_size(&Amount::of(&offering.capacity), policy)
    })
}

fn no_offering(key: &DemandKey) -> NoFit {
    NoFit::NoOffering { arch: key.arch, market: key.market, gpu_kinds: key.gpu_kinds }
}

/// How near an offering comes to holding a job that does not fit.
struct Miss<'a> {
    offering: &'a Offering,
    dimension: Dimension,
    n_fitting: usize,
    /// What it has and what is needed in the dimension that binds.
    has: u32,
    need: u32,
}

impl<'a> Miss<'a> {
    fn of(need: &Resources, offering: &'a Offering) -> Option<Self> {
        let dimension = need.exceeds(&offering.capacity)?;
        let (need, has) = (Amount::of(need), Amount::of(&offering.capacity));
        let n_fitting = need.0.iter().zip(has.0).filter(|(need, has)| **need <= *has).count();
        let binding = match dimension {
            Dimension::Cpu => 0,
            Dimension::Memory => 1,
            Dimension::Gpu => 2,
        };
        Some(Self { offering, dimension, n_fitting, has: has.0[binding], need: need.0[binding] })
    }

    /// Less is nearer: more dimensions fit, a larger part of the need is there, cheaper, by name.
    fn cmp(&self, other: &Self) -> Ordering {
        let part = u64::from(self.has) * u64::from(other.need);
        let other_part = u64::from(other.has) * u64::from(self.need);
        let by_fit = other.n_fitting.cmp(&self.n_fitting).then(other_part.cmp(&part));
        by_fit
            .then(self.offering.price.cmp(&other.offering.price))
            .then_with(|| self.offering.pool.cmp(&other.offering.pool))
    }
}

fn nearest(key: &DemandKey, catalog: &Catalog, policy: &PlanPolicy) -> NoFit {
    let mut nearest: Option<Miss<'_>> = None;
    for offering in allowed(key, catalog, policy) {
        let Some(miss) = Miss::of(&key.need, offering) else { continue };
        if nearest.as_ref().is_none_or(|best| miss.cmp(best) == Ordering::Less) {
            nearest = Some(miss);
        }
    }
    match nearest {
        None => no_offering(key),
        Some(miss) => NoFit::Exceeds {
            dimension: miss.dimension,
            need: key.need,
            nearest: miss.offering.pool.instance_type.clone(),
            nearest_has: miss.offering.capacity,
        },
    }
}
