//! Which instance types exist, and in which zones. What Spillway cannot use is left out here.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, InstanceTypeInfo, LocationType, RootDeviceType, UsageClassType, VirtualizationType,
};
use spillway_core::catalog::InstanceType;
use spillway_core::effect::CallResult;
use spillway_core::{Arch, CpuUnits, GpuKind, InstanceShape, Market, MiB, Resources, Zone};

use super::is_asked_for;
use crate::{call, limits};

/// Zones by type.
pub(super) type ZonesByType = BTreeMap<InstanceType, BTreeSet<Zone>>;

/// What to ask about.
#[derive(Debug, Clone)]
pub(super) struct TypeQuery {
    /// Instance types with `*` as wildcard; empty asks about all.
    pub(super) patterns: Vec<String>,
    /// Zones.
    pub(super) zones: Vec<String>,
}

impl TypeQuery {
    /// EC2 understands the same wildcard. More patterns than a filter takes are sorted out here instead.
    pub(super) fn type_filter(&self) -> Option<Filter> {
        let fits = !self.patterns.is_empty() && self.patterns.len() <= limits::FILTER_VALUES_MAX;
        let filter = Filter::builder().name("instance-type");
        fits.then(|| filter.set_values(Some(self.patterns.clone())).build())
    }

    pub(super) fn asks_for(&self, name: &str) -> bool {
        is_asked_for(&self.patterns, name)
    }

    pub(super) fn zone_filter(&self, name: &str) -> Filter {
        Filter::builder().name(name).set_values(Some(self.zones.clone())).build()
    }
}

/// A type that Spillway can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypeInfo {
    pub(super) shape: InstanceShape,
    /// In which markets it is sold.
    pub(super) markets: Vec<Market>,
}

/// All types that Spillway can use.
pub(super) async fn describe(client: &Client, query: &TypeQuery) -> CallResult<Vec<TypeInfo>> {
    let mut pages = client
        .describe_instance_types()
        .set_filters(query.type_filter().map(|filter| vec![filter]))
        .into_paginator()
        .page_size(limits::INSTANCE_TYPES_PAGE)
        .send();
    let mut types = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call::sort("ec2:DescribeInstanceTypes", &error))?;
        let usable = page.instance_types().iter().filter_map(usable);
        types.extend(usable.filter(|info| query.asks_for(&info.shape.name)));
    }
    Ok(types)
}

/// Which zones have which types. Not every zone has every type.
pub(super) async fn zones(client: &Client, query: &TypeQuery) -> CallResult<ZonesByType> {
    let filters = query.type_filter().into_iter().chain([query.zone_filter("location")]);
    let mut pages = client
        .describe_instance_type_offerings()
        .location_type(LocationType::AvailabilityZone)
        .set_filters(Some(filters.collect()))
        .into_paginator()
        .page_size(limits::EC2_PAGE)
        .send();
    let mut zones = ZonesByType::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call::sort("ec2:DescribeInstanceTypeOfferings", &error))?;
        for offering in page.instance_type_offerings() {
            let zone = offering.location().and_then(|zone| zone.parse::<Zone>().ok());
            let (Some(name), Some(zone)) = (offering.instance_type(), zone) else { continue };
            let is_wanted = query.zones.iter().any(|wanted| wanted == zone.as_str());
            if is_wanted {
                zones.entry(name.as_str().to_owned()).or_default().insert(zone);
            }
        }
    }
    Ok(zones)
}

/// The type as a shape; none if Spillway has no use for it: bare metal (boots for many minutes), paravirtual or without
/// EBS (the images are neither), accelerators that ECS does not hand out on these images, a share of a GPU, and GPUs for
/// which there is no ECS-optimized image.
fn usable(info: &InstanceTypeInfo) -> Option<TypeInfo> {
    let has_ebs = info.supported_root_device_types().contains(&RootDeviceType::Ebs);
    let is_hvm = info.supported_virtualization_types().contains(&VirtualizationType::Hvm);
    let is_accelerator = info.fpga_info().is_some()
        || info.inference_accelerator_info().is_some()
        || info.neuron_info().is_some()
        || info.media_accelerator_info().is_some();
    if info.bare_metal() == Some(true) || !has_ebs || !is_hvm || is_accelerator {
        return None;
    }
    let arch = arch(info)?;
    let (gpus, gpu) = gpus(info)?;
    if arch == Arch::Arm64 && 0 < gpus {
        return None;
    }
    let vcpus = u32::try_from(info.v_cpu_info()?.default_v_cpus()?).ok()?;
    let memory = u32::try_from(info.memory_info()?.size_in_mib()?).ok()?;
    let nominal = Resources::new(CpuUnits::from_vcpus(vcpus), MiB::new(memory), gpus);
    let name = info.instance_type()?.as_str().to_owned();
    let markets: Vec<Market> = info.supported_usage_classes().iter().filter_map(market).collect();
    Some(TypeInfo { shape: InstanceShape { name, arch, gpu, nominal }, markets })
}

fn arch(info: &InstanceTypeInfo) -> Option<Arch> {
    let supported = info.processor_info()?.supported_architectures();
    let names = |arch: &Arch| supported.iter().any(|s| s.as_str() == arch.to_string());
    Arch::ALL.into_iter().find(names)
}

/// How many whole NVIDIA GPUs, and of which kind if all are of one that is known; none for other makers and for parts of a
/// GPU.
fn gpus(info: &InstanceTypeInfo) -> Option<(u32, Option<GpuKind>)> {
    let Some(gpu_info) = info.gpu_info() else { return Some((0, None)) };
    let mut n_gpus = 0_u32;
    let mut kinds: BTreeSet<Option<GpuKind>> = BTreeSet::new();
    for device in gpu_info.gpus() {
        let is_nvidia = device.manufacturer().is_some_and(|m| m.eq_ignore_ascii_case("nvidia"));
        let is_part = device.gpu_partition_size().is_some_and(|size| size < 1.0);
        if !is_nvidia || is_part {
            return None;
        }
        n_gpus = n_gpus.saturating_add(u32::try_from(device.count()?).ok()?);
        kinds.insert(device.name().and_then(|name| name.parse().ok()));
    }
    let only = kinds.first().copied().flatten().filter(|_| kinds.len() == 1);
    Some((n_gpus, only))
}

fn market(class: &UsageClassType) -> Option<Market> {
    match class.as_str() {
        "on-demand" => Some(Market::OnDemand),
        "spot" => Some(Market::Spot),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
