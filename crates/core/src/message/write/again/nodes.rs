//! Writes the nodes of a multi-node job once more: nodes that run the same are one range.

use super::super::super::shape::{
    ContainerProperties, CpuArchitecture, NodeProperties, NodeRangeProperty, RuntimePlatform,
};
use super::container;
use crate::gang::{Gang, NodeGroup};
use crate::gpu::{GpuKind, GpuKinds};
use crate::market::{Arch, ArchRule};

/// All nodes of a job.
pub(super) fn properties(gang: &Gang) -> NodeProperties {
    let Gang { main, groups } = gang;
    let has_own_arch = arch(gang).is_none();
    NodeProperties {
        num_nodes: Some(i64::from(gang.n_nodes())),
        main_node: Some(i64::from(*main)),
        node_range_properties: Some(
            groups.iter().map(|group| range(group, has_own_arch)).collect(),
        ),
    }
}

/// The architecture that a job says for all of its nodes; none if they are for different ones, each of which says its own.
pub(super) fn arch(gang: &Gang) -> Option<ArchRule> {
    let mut archs = gang.groups.iter().map(|group| group.arch);
    let first = archs.next().flatten();
    archs.all(|arch| arch == first).then(|| super::arch_rule(first))
}

/// The kinds of GPU, which a job says for all nodes that have one.
pub(super) fn gpu_kinds(gang: &Gang) -> Option<Vec<GpuKind>> {
    let mut kinds = gang.groups.iter().map(|group| group.gpu_kinds);
    kinds.find(|kinds| !kinds.is_any()).map(GpuKinds::named)
}

fn range(group: &NodeGroup, has_own_arch: bool) -> NodeRangeProperty {
    let NodeGroup { first, last, container, resources, arch, gpu_kinds: _ } = group;
    let platform = arch.filter(|_| has_own_arch).map(|arch| RuntimePlatform {
        cpu_architecture: Some(match arch {
            Arch::X86_64 => CpuArchitecture::X86_64,
            Arch::Arm64 => CpuArchitecture::Arm64,
        }),
        operating_system_family: None,
    });
    NodeRangeProperty {
        target_nodes: Some(format!("{first}:{last}")),
        container: Some(ContainerProperties {
            runtime_platform: platform,
            ..container::properties(container, resources)
        }),
    }
}
