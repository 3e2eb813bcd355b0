//! What a handful of jobs costs at least, by trying every way to part them. Bounded: where there are too many ways it
//! gives up before it begins.

use std::collections::BTreeMap;

use super::shapes::fits;
use super::terms::{Amounts, Host, Jobs, Terms};

/// Parts of the demand (so many jobs of each shape) up to which all are tried: twelve jobs that all differ are 4,096.
const PARTS_MAX: usize = 4096;

/// Contents of a host times parts, up to which all are tried: a tenth of a second or so.
const STEPS_MAX: usize = 16_000_000;

/// The least that hosts cost which hold all jobs that fit something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Least {
    /// Into how many parts, at most, the jobs were parted.
    pub(crate) parts: u64,
    /// Millionths of a dollar per hour.
    pub(crate) cost: u128,
}

/// What one host may hold: how many jobs of each shape, and what the cheapest host that holds them costs.
struct Content {
    part: usize,
    counts: Vec<u64>,
    price: u128,
}

/// Tries every way; none if there are too many, or if durations count.
pub(crate) fn least(terms: &Terms) -> Option<Least> {
    if terms.is_timed() {
        return None;
    }
    let hosts = cheapest_first(terms);
    let shapes = shapes(terms, &hosts);
    let mut n_parts: usize = 1;
    for (_, count) in &shapes {
        n_parts = n_parts.checked_mul(usize::try_from(*count).ok()?.checked_add(1)?)?;
        if PARTS_MAX < n_parts {
            return None;
        }
    }
    // By the first shape that they have a job of.
    let mut contents: Vec<Vec<Content>> = shapes.iter().map(|_| Vec::new()).collect();
    let mut n_contents: usize = 0;
    for part in 1..n_parts {
        let counts = counts(part, &shapes);
        let (Some(first), Some(price)) = (first(&counts), price(&counts, &shapes, &hosts)) else {
            continue;
        };
        n_contents += 1;
        contents.get_mut(first)?.push(Content { part, counts, price });
    }
    if STEPS_MAX < n_contents.saturating_mul(n_parts) {
        return None;
    }
    let mut best: Vec<Option<u128>> = vec![None; n_parts];
    *best.first_mut()? = Some(0);
    for part in 1..n_parts {
        let counts = counts(part, &shapes);
        // Some host holds a job of the part's first shape: let it be this one.
        let mut least: Option<u128> = None;
        for content in contents.get(first(&counts)?)? {
            let is_within = content.counts.iter().zip(&counts).all(|(n, have)| n <= have);
            if is_within && let Some(Some(rest)) = best.get(part - content.part) {
                let cost = content.price.saturating_add(*rest);
                least = Some(least.map_or(cost, |least| least.min(cost)));
            }
        }
        *best.get_mut(part)? = least;
    }
    Some(Least { parts: u64::try_from(n_parts).ok()?, cost: (*best.last()?)? })
}

/// The hosts without those that another one, no dearer and of the same kind, has room for.
fn cheapest_first(terms: &Terms) -> Vec<&Host> {
    let mut sorted: Vec<&Host> = terms.hosts.iter().collect();
    sorted.sort_by_key(|host| (host.price, std::cmp::Reverse(host.room)));
    let mut kept: Vec<&Host> = Vec::new();
    for host in sorted {
        let covers = |other: &&Host| {
            (other.is_arm, other.is_spot) == (host.is_arm, host.is_spot)
                && fits(&host.room, &other.room)
        };
        if !kept.iter().any(covers) {
            kept.push(host);
        }
    }
    kept
}

/// Jobs that are alike together, and how many; without those that fit nothing.
fn shapes(terms: &Terms, hosts: &[&Host]) -> Vec<(Jobs, u64)> {
    let mut counts: BTreeMap<([bool; 2], bool, Amounts), (Jobs, u64)> = BTreeMap::new();
    for jobs in &terms.jobs {
        let holds =
            |host: &&Host| jobs.may_run(host.is_arm, host.is_spot) && fits(&jobs.need, &host.room);
        if 0 < jobs.count && hosts.iter().any(holds) {
            let key = (jobs.on_arch, jobs.spot_ok, jobs.need);
            counts.entry(key).or_insert((jobs.clone(), 0)).1 += jobs.count;
        }
    }
    counts.into_values().collect()
}

/// The number of a part, read digit by digit: how many jobs of each shape.
fn counts(part: usize, shapes: &[(Jobs, u64)]) -> Vec<u64> {
    let mut rest = u64::try_from(part).unwrap_or(u64::MAX);
    let mut counts = Vec::with_capacity(shapes.len());
    for (_, count) in shapes {
        counts.push(rest % (count + 1));
        rest /= count + 1;
    }
    counts
}

fn first(counts: &[u64]) -> Option<usize> {
    counts.iter().position(|n| 0 < *n)
}

/// What the cheapest host costs that holds all these jobs at once.
fn price(counts: &[u64], shapes: &[(Jobs, u64)], hosts: &[&Host]) -> Option<u128> {
    let mut load: Amounts = [0; 3];
    for (n, (jobs, _)) in counts.iter().zip(shapes) {
        for (sum, need) in load.iter_mut().zip(jobs.need) {
            *sum = sum.saturating_add(need.saturating_mul(*n));
        }
    }
    let may_run = |host: &Host| {
        let mut held = counts.iter().zip(shapes).filter(|(n, _)| 0 < **n);
        held.all(|(_, (jobs, _))| jobs.may_run(host.is_arm, host.is_spot))
    };
    let holds = |host: &&&Host| fits(&load, &host.room) && may_run(host);
    hosts.iter().find(holds).map(|host| host.price.into())
}
