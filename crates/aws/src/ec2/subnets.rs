//! Which subnet a host of a zone goes to.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Subnet};
use spillway_core::Zone;
use spillway_core::effect::CallResult;

use crate::cache::Cache;
use crate::call;
use crate::codes::Kind;
use crate::limits;

const ACTION: &str = "ec2:DescribeSubnets";

/// One subnet for each zone that has any.
pub(crate) type SubnetByZone = BTreeMap<Zone, String>;

/// Where hosts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostSubnets {
    /// The subnet of each zone.
    pub(crate) by_zone: SubnetByZone,
    /// The zones whose subnet gives each host a public IPv4 address ("Modify the public IPv4 addressing attribute of your subnet").
    pub(crate) with_address: BTreeSet<Zone>,
}

/// The subnets of hosts.
#[derive(Debug)]
pub(crate) struct Subnets {
    client: Client,
    configured: Vec<String>,
    known: Cache<(), HostSubnets>,
}

impl Subnets {
    pub(crate) const fn new(client: Client, configured: Vec<String>) -> Self {
        Self { client, configured, known: Cache::new(limits::SUBNETS_LIFETIME) }
    }

    /// The subnet to use in each zone: the configured ones, else the default VPC's.
    pub(crate) async fn by_zone(&self) -> CallResult<SubnetByZone> {
        self.of_hosts().await.map(|subnets| subnets.by_zone)
    }

    /// The same, and what they give their hosts.
    pub(crate) async fn of_hosts(&self) -> CallResult<HostSubnets> {
        if let Some(known) = self.known.get(&()) {
            return Ok(known);
        }
        let described = self.describe().await?;
        let by_zone = pick(&described)?;
        let with_address = with_address(&described, &by_zone);
        let subnets = HostSubnets { by_zone, with_address };
        self.known.put((), subnets.clone());
        Ok(subnets)
    }

    /// All that may be used: the configured ones, else the default VPC's.
    pub(crate) async fn describe(&self) -> CallResult<Vec<Subnet>> {
        let mut request = self.client.describe_subnets();
        if self.configured.is_empty() {
            request = request.filters(filter("default-for-az", ["true"]));
        } else {
            request = request.set_subnet_ids(Some(self.configured.clone()));
        }
        let answer = request.send().await.map_err(|error| call::sort(ACTION, &error))?;
        Ok(answer.subnets.unwrap_or_default())
    }
}

/// An EC2 filter.
pub(crate) fn filter<const N: usize>(name: &str, values: [&str; N]) -> Filter {
    let values = values.iter().map(|&value| value.to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// One of them for each zone; it is an error if there is none.
pub(crate) fn pick(subnets: &[Subnet]) -> CallResult<SubnetByZone> {
    let chosen = choose(subnets);
    if chosen.is_empty() {
        let detail = "the region has no default VPC with subnets; set `subnets`".to_owned();
        return Err(call::cloud_error(Kind::Misconfigured, ACTION, detail));
    }
    Ok(chosen)
}

/// The zones whose chosen subnet gives public addresses.
fn with_address(subnets: &[Subnet], by_zone: &SubnetByZone) -> BTreeSet<Zone> {
    let gives_one = |id: &str| {
        let mut with_one = subnets.iter().filter(|s| s.map_public_ip_on_launch() == Some(true));
        with_one.any(|subnet| subnet.subnet_id() == Some(id))
    };
    by_zone.iter().filter(|(_, id)| gives_one(id)).map(|(zone, _)| zone.clone()).collect()
}

/// The subnet with most free addresses in each zone; of equals the first by id. A fleet takes one subnet for each zone.
fn choose(subnets: &[Subnet]) -> SubnetByZone {
    let mut best: BTreeMap<Zone, (i32, &str)> = BTreeMap::new();
    for subnet in subnets {
        let zone = subnet.availability_zone().and_then(|zone| zone.parse().ok());
        let (Some(zone), Some(id)) = (zone, subnet.subnet_id()) else { continue };
        let free = subnet.available_ip_address_count().unwrap_or(0);
        let is_better = best.get(&zone).is_none_or(|(best_free, best_id)| {
            (*best_free, std::cmp::Reverse(*best_id)) < (free, std::cmp::Reverse(id))
        });
        if is_better {
            best.insert(zone, (free, id));
        }
    }
    best.into_iter().map(|(zone, (_, id))| (zone, id.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::builders::SubnetBuilder;

    use super::*;

    fn builder(id: &str, zone: &str, free: i32) -> SubnetBuilder {
        Subnet::builder().subnet_id(id).availability_zone(zone).available_ip_address_count(free)
    }

    fn subnet(id: &str, zone: &str, free: i32) -> Subnet {
        builder(id, zone, free).build()
    }

    #[test]
    fn each_zone_gets_its_emptiest_subnet_and_the_first_of_equals() {
        let subnets = [
            subnet("subnet-3", "us-east-1a", 10),
            subnet("subnet-2", "us-east-1a", 200),
            subnet("subnet-1", "us-east-1a", 200),
            subnet("subnet-4", "us-east-1b", 0),
        ];

        let chosen = choose(&subnets);

        let zone = |name: &str| name.parse::<Zone>().unwrap();
        assert_eq!(chosen[&zone("us-east-1a")], "subnet-1");
        assert_eq!(chosen[&zone("us-east-1b")], "subnet-4");
    }

    #[test]
    fn only_the_subnet_that_hosts_go_to_says_whether_they_have_an_address() {
        let with_one = |id: &str, zone: &str, free: i32| {
            builder(id, zone, free).map_public_ip_on_launch(true).build()
        };
        let subnets = [
            with_one("subnet-1", "us-east-1a", 200),
            subnet("subnet-2", "us-east-1a", 10),
            with_one("subnet-3", "us-east-1b", 10),
            subnet("subnet-4", "us-east-1b", 200),
        ];

        let zones = with_address(&subnets, &choose(&subnets));

        assert_eq!(zones, BTreeSet::from(["us-east-1a".parse().unwrap()]));
    }
}
