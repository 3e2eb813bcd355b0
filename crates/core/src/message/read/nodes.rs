//! Multi-node jobs: which nodes there are, and what each of them runs and needs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rejection, Warnings, container, limits, needs, overrides};
use crate::gang::{Gang, NodeGroup};
use crate::gpu::GpuKind;
use crate::market::ArchRule;
use crate::message::path::At;
use crate::message::shape::{
    ContainerOverrides, ContainerProperties, NodeOverrides, NodeProperties, NodePropertyOverride,
    NodeRangeProperty,
};

/// What holds for all nodes.
pub(super) struct OfAll<'a> {
    pub(super) parameters: &'a BTreeMap<String, String>,
    pub(super) arch: Option<ArchRule>,
    pub(super) gpu_kinds: Option<&'a [GpuKind]>,
}

/// Nodes from the one to the other, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u32,
    last: u32,
}

impl Range {
    fn has(self, node: u32) -> bool {
        (self.first..=self.last).contains(&node)
    }
}

/// The nodes of a job.
pub(super) fn gang(
    at_properties: &At<'_>,
    properties: NodeProperties,
    overrides: NodeOverrides,
    of_all: &OfAll<'_>,
    warnings: &mut Warnings,
) -> Result<Gang, Rejection> {
    let at_overrides = At::Root.key("nodeOverrides");
    let (at_own, at_other) = (at_properties.key("numNodes"), at_overrides.key("numNodes"));
    let own = properties.num_nodes.ok_or_else(|| Rejection::missing(&at_own))?;
    let own = n_nodes(&at_own, own)?;
    let n_nodes = match overrides.num_nodes {
        Some(other) => n_nodes(&at_other, other)?,
        None => own,
    };
    let main = main_node(&at_properties.key("mainNode"), properties.main_node, n_nodes)?;

    let at_ranges = at_properties.key("nodeRangeProperties");
    let listed = properties.node_range_properties.unwrap_or_default();
    if listed.is_empty() {
        return Err(Rejection::missing(&at_ranges).hint("say what the nodes run"));
    }
    let mut ranges: Vec<(Range, ContainerProperties)> = Vec::with_capacity(listed.len());
    for (ord, NodeRangeProperty { target_nodes, container }) in listed.into_iter().enumerate() {
        let at = at_ranges.index(ord);
        let range = range(&at.key("targetNodes"), target_nodes.as_deref(), n_nodes)?;
        let container = container.ok_or_else(|| Rejection::missing(&at.key("container")))?;
        ranges.push((range, container));
    }
    let others = other_containers(&at_overrides, overrides.node_property_overrides, n_nodes)?;

    let mut groups: Vec<NodeGroup> = Vec::new();
    for Range { first, last } in pieces(ranges.iter().map(|(range, _)| *range), &others, n_nodes) {
        let around = ranges.iter().enumerate().filter(|(_, (range, _))| range.has(first));
        let narrowest = around.min_by_key(|(_, (range, _))| range.last - range.first);
        let Some((ord, (_, properties))) = narrowest else {
            let what = format!("says nothing of node {first} of {n_nodes}");
            return Err(Rejection::invalid(&at_ranges, &what)
                .hint("every node is in a range; one such as \"1:\" goes to the last"));
        };
        let of_others = others.iter().enumerate().find(|(_, (range, _))| range.has(first));
        let (other, overrides) = of_others
            .map_or_else(|| (0, ContainerOverrides::default()), |(at, (_, o))| (at, o.clone()));
        let (at_range, at_list) = (at_ranges.index(ord), at_overrides.key("nodePropertyOverrides"));
        let (at, at_other) = (at_range.key("container"), at_list.index(other));
        let at_other = at_other.key("containerOverrides");
        groups.push(group(
            Range { first, last },
            (&at, properties.clone()),
            (&at_other, overrides),
            of_all,
            warnings,
        )?);
    }
    let wants_kind = of_all.gpu_kinds.is_some_and(|kinds| !kinds.is_empty());
    if wants_kind && groups.iter().all(|group| group.resources.gpus == 0) {
        let at = At::Root.key("spillway");
        let what = "names kinds of GPU, but no node asks for a GPU";
        return Err(Rejection::invalid(&at.key("gpuKinds"), what).hint("leave it out"));
    }
    Ok(Gang { main, groups })
}

fn group(
    Range { first, last }: Range,
    (at, properties): (&At<'_>, ContainerProperties),
    (at_overrides, overriding): (&At<'_>, ContainerOverrides),
    of_all: &OfAll<'_>,
    warnings: &mut Warnings,
) -> Result<NodeGroup, Rejection> {
    let platform = properties.runtime_platform.as_ref();
    let arch = container::arch(at, platform, of_all.arch)?;
    let places = container::Places { at, at_overrides };
    let resources = needs::resources(places, &properties, &overriding, warnings)?;
    let kinds = of_all.gpu_kinds.filter(|_| 0 < resources.gpus).map(<[GpuKind]>::to_vec);
    let gpu_kinds = needs::gpu_kinds(&At::Root.key("spillway"), kinds, &resources)?;
    let parameters = of_all.parameters;
    let mut container = container::single(places, properties, overriding, parameters, warnings)?;
    let (n_command, n_environment) = overrides::chars(&container);
    let max = overrides::CHARS_MAX - limits::OVERRIDES_CHARS_OF_NODE;
    if max < n_command + n_environment {
        let larger = if n_environment < n_command { "command" } else { "environment" };
        return Err(overrides::too_long(&at.key(larger), max));
    }
    // The nodes must reach each other, at whatever port the main node listens on.
    container.host_network = true;
    Ok(NodeGroup { first, last, container, resources, arch, gpu_kinds })
}

fn n_nodes(at: &At<'_>, n: i64) -> Result<u32, Rejection> {
    let max = limits::NODES_MAX;
    let in_range = u32::try_from(n).ok().filter(|n| (1..=max).contains(n));
    in_range.ok_or_else(|| {
        Rejection::invalid(at, &format!("a multi-node job has 1 to {max} nodes, not {n}"))
    })
}

fn main_node(at: &At<'_>, node: Option<i64>, n_nodes: u32) -> Result<u32, Rejection> {
    let node = node.ok_or_else(|| Rejection::missing(at).hint("say 0 for the first node"))?;
    let in_range = u32::try_from(node).ok().filter(|node| *node < n_nodes);
    in_range.ok_or_else(|| {
        let what = format!("there is no node {node}: there are {n_nodes}, from 0");
        Rejection::invalid(at, &what)
    })
}

/// Reads `FIRST:LAST`, either of which may be left out, or one node alone.
fn range(at: &At<'_>, text: Option<&str>, n_nodes: u32) -> Result<Range, Rejection> {
    let text = text.ok_or_else(|| Rejection::missing(at))?;
    let wrong = || {
        Rejection::invalid(at, &format!("{text:?} is not a range of nodes"))
            .hint("write \"0:3\", or with an open end \"4:\"")
    };
    let number = |text: &str, unsaid: u32| {
        let is_plain = text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
        match text {
            "" => Some(unsaid),
            text => text.parse().ok().filter(|_| is_plain),
        }
    };
    let (first, last) = match text.split_once(':') {
        Some((first, last)) => (number(first, 0), number(last, n_nodes - 1)),
        None if text.is_empty() => (None, None),
        None => (number(text, 0), number(text, 0)),
    };
    let (first, last) = (first.ok_or_else(wrong)?, last.ok_or_else(wrong)?);
    if last < first {
        return Err(wrong());
    }
    if n_nodes <= last {
        let what = format!("{text:?} names node {last}, but there are {n_nodes} nodes, from 0");
        return Err(Rejection::invalid(at, &what)
            .hint("a range with an open end, such as \"1:\", fits any number of nodes"));
    }
    Ok(Range { first, last })
}

fn other_containers(
    at: &At<'_>,
    overrides: Option<Vec<NodePropertyOverride>>,
    n_nodes: u32,
) -> Result<Vec<(Range, ContainerOverrides)>, Rejection> {
    let at = at.key("nodePropertyOverrides");
    let mut others: Vec<(Range, ContainerOverrides)> = Vec::new();
    for (ord, own) in overrides.unwrap_or_default().into_iter().enumerate() {
        let at_nodes = at.index(ord);
        let at_nodes = at_nodes.key("targetNodes");
        let range = range(&at_nodes, own.target_nodes.as_deref(), n_nodes)?;
        let meets = |(other, _): &(Range, ContainerOverrides)| {
            other.first <= range.last && range.first <= other.last
        };
        if others.iter().any(meets) {
            let what = "some of these nodes are in another range of this list";
            return Err(Rejection::invalid(&at_nodes, what));
        }
        others.push((range, own.container_overrides.unwrap_or_default()));
    }
    Ok(others)
}

/// All nodes in pieces within which the same ranges hold.
fn pieces(
    ranges: impl Iterator<Item = Range>,
    others: &[(Range, ContainerOverrides)],
    n_nodes: u32,
) -> Vec<Range> {
    let mut starts: BTreeSet<u32> = BTreeSet::from([0]);
    for range in ranges.chain(others.iter().map(|(range, _)| *range)) {
        starts.insert(range.first);
        starts.insert(range.last + 1);
    }
    starts.retain(|start| *start < n_nodes);
    let ends = starts.iter().skip(1).copied().chain([n_nodes]);
    starts.iter().zip(ends).map(|(first, end)| Range { first: *first, last: end - 1 }).collect()
}
