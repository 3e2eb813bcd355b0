//! Whether hosts find addresses in their subnets, and a way from there to ECS.
//!
//! A host's agent must reach ECS, over the internet or over interface endpoints in the VPC (ECS developer guide, "Amazon ECS
//! interface VPC endpoints"). Where neither is to be had, machines are bought, paid for, and never register.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Route, RouteState, RouteTable, Subnet, VpcEndpoint};
use spillway_core::effect::CallResult;

use super::{Finding, Wanted};
use crate::call;
use crate::ec2::filter;

/// The endpoints that a host's agent needs where there is no way to the internet.
const ENDPOINTS: [&str; 3] = ["ecs", "ecs-agent", "ecs-telemetry"];

/// How a host in a subnet gets to ECS.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// Over the internet, with an address of its own or a NAT's.
    Internet,
    /// Over endpoints in the VPC.
    Endpoints,
    /// There is an internet gateway, and hosts get no address to use it with.
    NoAddress,
    /// There is no default route, and these endpoints are missing.
    None(Vec<&'static str>),
}

/// Addresses first: every host takes one.
pub(super) fn addresses(subnets: &[Subnet], wanted: &Wanted) -> Finding {
    const NAME: &str = "addresses";
    let hint = || Some("widen `subnets`, or lower limits.max-hosts".to_owned());
    let free_of = |subnet: &Subnet| {
        u32::try_from(subnet.available_ip_address_count().unwrap_or(0)).unwrap_or(0)
    };
    let free = subnets.iter().fold(0_u32, |sum, subnet| sum.saturating_add(free_of(subnet)));
    let detail = format!("{free} free addresses in {} subnets", subnets.len());
    let full: Vec<&str> =
        subnets.iter().filter(|s| free_of(s) == 0).filter_map(Subnet::subnet_id).collect();
    if free == 0 {
        return Finding::failed(NAME, detail, hint());
    }
    if !full.is_empty() {
        return Finding::warning(NAME, format!("{detail}; none in {}", full.join(", ")), hint());
    }
    match wanted.hosts {
        Some(hosts) if free < hosts => {
            Finding::warning(NAME, format!("{detail}, and limits.max-hosts is {hosts}"), hint())
        }
        Some(_) | None => Finding::ok(NAME, detail),
    }
}

/// Then routes. There may be a way that is not seen here, such as a proxy: no more than a warning.
pub(super) async fn route(client: &Client, subnets: &[Subnet]) -> Finding {
    const NAME: &str = "way to ECS";
    let vpcs: BTreeSet<&str> = subnets.iter().filter_map(Subnet::vpc_id).collect();
    let found = tokio::try_join!(tables(client, &vpcs), endpoints(client, &vpcs));
    let (tables, endpoints) = match found {
        Ok(found) => found,
        Err(error) => return Finding::of_call(NAME, Err(error)).into_warning(),
    };
    let (mut ways, mut without) = (BTreeSet::new(), BTreeMap::<String, Vec<&str>>::new());
    for subnet in subnets {
        let complaint = match way(subnet, &tables, &endpoints) {
            Way::Internet => {
                ways.insert("the internet");
                continue;
            }
            Way::Endpoints => {
                ways.insert("endpoints in the VPC");
                continue;
            }
            Way::NoAddress => {
                "routed to an internet gateway, and hosts there get no public address".to_owned()
            }
            Way::None(missing) => {
                format!("no default route, and no endpoint in the VPC for {}", missing.join(", "))
            }
        };
        without.entry(complaint).or_default().push(subnet.subnet_id().unwrap_or("a subnet"));
    }
    let complaint = |(what, ids): (&String, &Vec<&str>)| format!("{}: {what}", ids.join(", "));
    let complaints: Vec<String> = without.iter().map(complaint).collect();
    if complaints.is_empty() {
        let ways: Vec<&str> = ways.into_iter().collect();
        return Finding::ok(NAME, format!("over {}", ways.join(" and ")));
    }
    let hint = "hosts there would be paid for and never register: give the subnet a NAT gateway, public addresses, or \
                endpoints for ECS, ECR, S3 and CloudWatch Logs";
    Finding::warning(NAME, complaints.join("; "), Some(hint.to_owned()))
}

fn way(subnet: &Subnet, tables: &[RouteTable], endpoints: &[VpcEndpoint]) -> Way {
    let routes = table_of(subnet, tables).map(RouteTable::routes).unwrap_or_default();
    let mut defaults = routes.iter().filter(|route| is_default(route)).peekable();
    let has_default = defaults.peek().is_some();
    if defaults.any(|route| has_address_for(subnet, route)) {
        return Way::Internet;
    }
    let has = |service: &&str| {
        let suffix = format!(".{service}");
        let of_vpc = endpoints.iter().filter(|e| e.vpc_id() == subnet.vpc_id());
        { of_vpc }.any(|e| e.service_name().is_some_and(|name| name.ends_with(&suffix)))
    };
    let missing: Vec<&'static str> = ENDPOINTS.into_iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        Way::Endpoints
    } else if has_default {
        Way::NoAddress
    } else {
        Way::None(missing)
    }
}

/// Whether hosts have the address that a route takes: an internet gateway takes a public one of theirs, a NAT none.
fn has_address_for(subnet: &Subnet, route: &Route) -> bool {
    let is_gateway = route.gateway_id().is_some_and(|id| id.starts_with("igw-"));
    let has_public = if route.destination_ipv6_cidr_block().is_some() {
        subnet.assign_ipv6_address_on_creation()
    } else {
        subnet.map_public_ip_on_launch()
    };
    !is_gateway || has_public.unwrap_or(false)
}

/// The table that a subnet is associated with, else the main one of its VPC.
fn table_of<'a>(subnet: &Subnet, tables: &'a [RouteTable]) -> Option<&'a RouteTable> {
    let has = |table: &&RouteTable| {
        table
            .associations()
            .iter()
            .any(|a| a.subnet_id().is_some() && a.subnet_id() == subnet.subnet_id())
    };
    let is_main = |table: &&RouteTable| {
        table.vpc_id() == subnet.vpc_id()
            && table.associations().iter().any(|a| a.main().unwrap_or(false))
    };
    tables.iter().find(has).or_else(|| tables.iter().find(is_main))
}

fn is_default(route: &Route) -> bool {
    let is_everywhere = route.destination_cidr_block() == Some("0.0.0.0/0")
        || route.destination_ipv6_cidr_block() == Some("::/0");
    is_everywhere && route.state() != Some(&RouteState::Blackhole)
}

async fn tables(client: &Client, vpcs: &BTreeSet<&str>) -> CallResult<Vec<RouteTable>> {
    let mut found = Vec::new();
    for vpc in vpcs {
        let request = client.describe_route_tables().filters(filter("vpc-id", [*vpc]));
        let mut pages = request.into_paginator().items().send();
        while let Some(table) = pages.next().await {
            found.push(table.map_err(|error| call::sort("ec2:DescribeRouteTables", &error))?);
        }
    }
    Ok(found)
}

async fn endpoints(client: &Client, vpcs: &BTreeSet<&str>) -> CallResult<Vec<VpcEndpoint>> {
    let mut found = Vec::new();
    for vpc in vpcs {
        let of_vpc = filter("vpc-id", [*vpc]);
        let available = filter("vpc-endpoint-state", ["available"]);
        let request = client.describe_vpc_endpoints().filters(of_vpc).filters(available);
        let mut pages = request.into_paginator().items().send();
        while let Some(endpoint) = pages.next().await {
            found.push(endpoint.map_err(|error| call::sort("ec2:DescribeVpcEndpoints", &error))?);
        }
    }
    Ok(found)
}

/// One subnet of each zone by its id.
pub(super) fn chosen(
    subnets: Vec<Subnet>,
    ids: &BTreeMap<spillway_core::Zone, String>,
) -> Vec<Subnet> {
    let is_chosen =
        |subnet: &Subnet| ids.values().any(|id| subnet.subnet_id() == Some(id.as_str()));
    subnets.into_iter().filter(is_chosen).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::RouteTableAssociation;

    use super::*;
    use crate::doctor::Outcome;

    fn subnet(id: &str, free: i32) -> Subnet {
        Subnet::builder().subnet_id(id).vpc_id("vpc-1").available_ip_address_count(free).build()
    }

    fn table(association: RouteTableAssociation, route: Route) -> RouteTable {
        RouteTable::builder().vpc_id("vpc-1").associations(association).routes(route).build()
    }

    fn main_table(route: Route) -> RouteTable {
        table(RouteTableAssociation::builder().main(true).build(), route)
    }

    fn everywhere() -> aws_sdk_ec2::types::builders::RouteBuilder {
        Route::builder().destination_cidr_block("0.0.0.0/0")
    }

    fn endpoint(service: &str) -> VpcEndpoint {
        let name = format!("com.amazonaws.us-east-1.{service}");
        VpcEndpoint::builder().vpc_id("vpc-1").service_name(name).build()
    }

    #[test]
    fn hosts_need_an_address_each() {
        let two = [subnet("subnet-1", 200), subnet("subnet-2", 50)];
        let finding = |subnets: &[Subnet], hosts| {
            addresses(subnets, &Wanted { hosts: Some(hosts), ..Wanted::default() })
        };

        assert_eq!(finding(&two, 250).outcome, Outcome::Ok);
        let too_few = finding(&two, 251);
        assert_eq!(too_few.outcome, Outcome::Warning);
        assert_eq!(too_few.detail, "250 free addresses in 2 subnets, and limits.max-hosts is 251");
        let one_full = finding(&[subnet("subnet-1", 9), subnet("subnet-2", 0)], 5);
        assert_eq!(one_full.detail, "9 free addresses in 2 subnets; none in subnet-2");
        assert_eq!(finding(&[subnet("subnet-1", 0)], 5).outcome, Outcome::Failed);
    }

    #[test]
    fn a_nat_is_a_way_and_a_gateway_is_one_for_those_with_public_addresses() {
        let private = subnet("subnet-1", 9);
        let public = Subnet::builder()
            .subnet_id("subnet-1")
            .vpc_id("vpc-1")
            .map_public_ip_on_launch(true)
            .build();
        let nat = [main_table(everywhere().nat_gateway_id("nat-1").build())];
        let gateway = [main_table(everywhere().gateway_id("igw-1").build())];

        assert_eq!(way(&private, &nat, &[]), Way::Internet);
        assert_eq!(way(&public, &gateway, &[]), Way::Internet);
        assert_eq!(way(&private, &gateway, &[]), Way::NoAddress);
    }

    #[test]
    fn a_table_of_its_own_counts_before_the_main_one_and_a_black_hole_is_no_way() {
        let own = RouteTableAssociation::builder().subnet_id("subnet-1").build();
        let hole = everywhere().nat_gateway_id("nat-gone").state(RouteState::Blackhole).build();
        let tables = [main_table(everywhere().nat_gateway_id("nat-1").build()), table(own, hole)];

        assert_eq!(way(&subnet("subnet-1", 9), &tables, &[]), Way::None(ENDPOINTS.to_vec()));
        assert_eq!(way(&subnet("subnet-2", 9), &tables, &[]), Way::Internet);
    }

    #[test]
    fn endpoints_are_a_way_if_all_that_the_agent_calls_are_there() {
        let subnet = subnet("subnet-1", 9);
        let all = ENDPOINTS.map(endpoint);

        let gateway = [main_table(everywhere().gateway_id("igw-1").build())];

        assert_eq!(way(&subnet, &[], &all), Way::Endpoints);
        assert_eq!(way(&subnet, &gateway, &all), Way::Endpoints);
        assert_eq!(way(&subnet, &[], &all[..2]), Way::None(vec!["ecs-telemetry"]));
    }
}
