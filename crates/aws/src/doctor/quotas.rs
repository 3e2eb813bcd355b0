//! What EC2's vCPU quotas allow, beside what the limits would let the dispatcher buy.
//!
//! Quotas are known by their names (EC2 user guide, "On-Demand Instance quotas" and "Spot Instance quotas"): `Running On-Demand
//! Standard (A, C, D, H, I, M, R, T, Z) instances`, `All G and VT Spot Instance Requests`. New accounts have none of some of them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_servicequotas::Client;
use spillway_core::effect::CallResult;
use spillway_core::{Catalog, CpuUnits, Market, Quota, QuotaGroup};

use super::{Finding, Wanted};
use crate::call;

const NAME: &str = "vcpu quotas";

/// Whole vCPUs by quota.
type Allowed = BTreeMap<Quota, u32>;

pub(super) async fn examine(client: &Client, catalog: &Catalog, wanted: &Wanted) -> Finding {
    let on_offer = catalog.offerings().iter().filter_map(|o| Quota::of(&o.pool)).collect();
    match allowed(client).await {
        Ok(allowed) => finding(&allowed, &on_offer, wanted),
        Err(error) => Finding::of_call(NAME, Err(error)).into_warning(),
    }
}

async fn allowed(client: &Client) -> CallResult<Allowed> {
    let mut allowed = Allowed::new();
    let mut pages =
        client.list_service_quotas().service_code("ec2").into_paginator().items().send();
    while let Some(found) = pages.next().await {
        let found = found.map_err(|error| call::sort("servicequotas:ListServiceQuotas", &error))?;
        let quota = found.quota_name().and_then(quota_of);
        if let (Some(quota), Some(vcpus)) = (quota, found.value().and_then(whole)) {
            // P5 and what came before it are two quotas on Spot: whoever may buy of either may buy.
            let most = allowed.entry(quota).or_default();
            *most = vcpus.max(*most);
        }
    }
    Ok(allowed)
}

/// Service Quotas counts in floating point.
fn whole(value: f64) -> Option<u32> {
    format!("{:.0}", value.floor()).parse().ok()
}

/// The quota of a name; none for one of other things, such as Dedicated Hosts.
fn quota_of(name: &str) -> Option<Quota> {
    let on_demand =
        name.strip_prefix("Running On-Demand ").and_then(|n| n.strip_suffix(" instances"));
    let spot = name.strip_prefix("All ").and_then(|n| n.strip_suffix(" Spot Instance Requests"));
    let (market, families) = match (on_demand, spot) {
        (Some(families), _) => (Market::OnDemand, families),
        (None, Some(families)) => (Market::Spot, families),
        (None, None) => return None,
    };
    let first = families.split([' ', ',']).next().unwrap_or_default().to_ascii_lowercase();
    let group = match first.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "standard" => QuotaGroup::Standard,
        "g" => QuotaGroup::G,
        "p" => QuotaGroup::P,
        "f" => QuotaGroup::F,
        "x" => QuotaGroup::X,
        "inf" => QuotaGroup::Inf,
        "trn" => QuotaGroup::Trn,
        "dl" => QuotaGroup::Dl,
        "hpc" => QuotaGroup::Hpc,
        "high" => QuotaGroup::U,
        _ => return None,
    };
    Some(Quota { market, group })
}

fn finding(allowed: &Allowed, on_offer: &BTreeSet<Quota>, wanted: &Wanted) -> Finding {
    let offered: Vec<(Quota, u32)> =
        on_offer.iter().filter_map(|quota| Some((*quota, *allowed.get(quota)?))).collect();
    if offered.is_empty() {
        return Finding::warning(NAME, "none of what is on offer is known to Service Quotas", None);
    }
    let list = |quotas: &[(Quota, u32)]| {
        let texts: Vec<String> = quotas.iter().map(|(q, vcpus)| format!("{q} {vcpus}")).collect();
        texts.join(", ")
    };
    let detail = list(&offered);
    let is_short = |(quota, vcpus): &&(Quota, u32)| {
        let limit = [wanted.cpu, wanted.quotas.get(*quota)].into_iter().flatten().min();
        limit.is_none_or(|limit| CpuUnits::from_vcpus(*vcpus) < limit)
    };
    let short: Vec<(Quota, u32)> = offered.iter().filter(is_short).copied().collect();
    if short.is_empty() {
        return Finding::ok(NAME, detail);
    }
    let settings: Vec<String> = short.iter().map(|(q, vcpus)| format!("\"{q}={vcpus}\"")).collect();
    let beyond = wanted.cpu.map_or_else(
        || format!("limits.max-vcpus is not set, and EC2 gives no more than {}", list(&short)),
        |cpu| format!("limits.max-vcpus is {cpu}, more than {}", list(&short)),
    );
    let hint = format!(
        "what is beyond a quota EC2 refuses: ask for more in the Service Quotas console, or let the plan keep to it with \
         limits.vcpu-quotas = [{}]",
        settings.join(", ")
    );
    Finding::warning(NAME, format!("{detail}; {beyond}"), Some(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    fn quota(text: &str) -> Quota {
        text.parse().unwrap()
    }

    #[test]
    fn quotas_are_known_by_their_names() {
        let known = |name: &str| quota_of(name).map(|quota| quota.to_string());
        for (name, expected) in [
            (
                "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
                "on-demand/standard",
            ),
            ("All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", "spot/standard"),
            ("Running On-Demand G and VT instances", "on-demand/g"),
            ("All G and VT Spot Instance Requests", "spot/g"),
            ("All P4, P3 and P2 Spot Instance Requests", "spot/p"),
            ("All P5 Spot Instance Requests", "spot/p"),
            ("Running On-Demand High Memory instances", "on-demand/u"),
            ("All Inf Spot Instance Requests", "spot/inf"),
            ("Running On-Demand HPC instances", "on-demand/hpc"),
        ] {
            assert_eq!(known(name).as_deref(), Some(expected), "{name}");
        }
        for other in
            ["Running Dedicated c5 Hosts", "EC2-VPC Elastic IPs", "All DS9 Spot Instance Requests"]
        {
            assert_eq!(known(other), None, "{other}");
        }
    }

    #[test]
    fn a_quota_below_the_limit_is_a_warning_with_the_setting_that_keeps_to_it() {
        let allowed = Allowed::from([(quota("spot/standard"), 128), (quota("spot/g"), 0)]);
        let offered = BTreeSet::from([quota("spot/standard")]);
        let mut wanted = Wanted { cpu: Some(CpuUnits::from_vcpus(128)), ..Wanted::default() };

        assert_eq!(finding(&allowed, &offered, &wanted).outcome, Outcome::Ok);
        wanted.cpu = Some(CpuUnits::from_vcpus(129));
        let short = finding(&allowed, &offered, &wanted);
        assert_eq!(short.outcome, Outcome::Warning);
        assert_eq!(
            short.detail,
            "spot/standard 128; limits.max-vcpus is 129, more than spot/standard 128"
        );
        assert!(short.hint.unwrap().contains("limits.vcpu-quotas = [\"spot/standard=128\"]"));
        wanted.cpu = None;
        assert_eq!(
            finding(&allowed, &offered, &wanted).detail,
            "spot/standard 128; limits.max-vcpus is not set, and EC2 gives no more than spot/standard 128"
        );
        wanted.quotas.set(quota("spot/standard"), Some(CpuUnits::from_vcpus(100)));
        assert_eq!(finding(&allowed, &offered, &wanted).outcome, Outcome::Ok);
    }

    #[test]
    fn vcpus_are_whole() {
        assert_eq!(whole(640.0), Some(640));
        assert_eq!(whole(0.0), Some(0));
        assert_eq!(whole(-1.0), None);
    }
}
