//! What a job runs: one container, several, or nodes; and that nothing is said for a kind of job that it is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::containers::{self, Containers, Written};
use super::{Rejection, Warnings, define, needs, nodes, task, variants};
use crate::gang::Gang;
use crate::gpu::{GpuKind, GpuKinds};
use crate::message::path::At;
use crate::message::shape::{
    ContainerOverrides, EcsPropertiesOverride, JobDefinition, JobDefinitionType, JobVariant,
    NodeOverrides, NodeProperties, PlatformCapability, SubmitJob,
};
use crate::variant::Variants;

/// What a job runs, and where it can.
pub(super) struct Work {
    pub(super) containers: Containers,
    pub(super) gpu_kinds: GpuKinds,
    pub(super) gang: Option<Arc<Gang>>,
}

impl Work {
    pub(super) fn of_containers(
        written: Written,
        of: task::Of<'_>,
        gpu_kinds: Option<&[GpuKind]>,
        warnings: &mut Warnings,
    ) -> Result<Self, Rejection> {
        let at_definition = At::Root.key("jobDefinition");
        let containers = containers::containers(&at_definition, written, of, warnings)?;
        let kinds = gpu_kinds.map(<[GpuKind]>::to_vec);
        let at_spillway = At::Root.key("spillway");
        let gpu_kinds = needs::gpu_kinds(&at_spillway, kinds, &containers.resources)?;
        Ok(Self { containers, gpu_kinds, gang: None })
    }

    /// Other ways to run it.
    pub(super) fn variants(
        &self,
        listed: Option<Vec<JobVariant>>,
        expected_duration: Option<SignedDuration>,
        parameters: &BTreeMap<String, String>,
        warnings: &mut Warnings,
    ) -> Result<Option<Box<Variants>>, Rejection> {
        let base = variants::Base {
            containers: &self.containers,
            gpu_kinds: self.gpu_kinds,
            expected_duration,
            has_nodes: self.gang.is_some(),
        };
        let at = At::Root.key("spillway");
        variants::variants(&at.key("variants"), listed, base, parameters, warnings)
    }

    /// The job itself is its main node.
    pub(super) fn of_nodes(
        properties: NodeProperties,
        overrides: NodeOverrides,
        (in_array, grows): (bool, bool),
        (of, gpu_kinds): (task::Of<'_>, Option<&[GpuKind]>),
        warnings: &mut Warnings,
    ) -> Result<Self, Rejection> {
        let (at, at_spillway) = (At::Root.key("jobDefinition"), At::Root.key("spillway"));
        if in_array {
            let at = At::Root.key("arrayProperties");
            return Err(Rejection::invalid(&at, "a multi-node job cannot be an array")
                .hint("send one job for each child"));
        }
        if grows {
            let at = at_spillway.key("growMemory");
            return Err(
                Rejection::invalid(&at, "is for jobs of one container").hint("leave it out")
            );
        }
        let at_nodes = at.key("nodeProperties");
        let of_all = nodes::OfAll { parameters: of.parameters, arch: of.arch, gpu_kinds };
        let gang = nodes::gang(&at_nodes, properties, overrides, &of_all, warnings)?;
        let main = gang.group_of(gang.main).ok_or_else(|| Rejection::missing(&at_nodes))?;
        let containers = Containers {
            container: main.container.clone(),
            task: None,
            resources: main.resources,
            arch: main.arch,
            stop: of.stop,
        };
        let gpu_kinds = main.gpu_kinds;
        Ok(Self { containers, gpu_kinds, gang: Some(Arc::new(gang)) })
    }
}

pub(super) fn check_kind(at: &At<'_>, definition: &JobDefinition) -> Result<(), Rejection> {
    match definition.kind {
        Some(JobDefinitionType::Multinode) if definition.node_properties.is_none() => {
            return Err(Rejection::missing(&at.key("nodeProperties"))
                .hint("describe the nodes: numNodes, mainNode, nodeRangeProperties"));
        }
        Some(JobDefinitionType::Container) if definition.node_properties.is_some() => {
            let what = "is \"container\", but there are nodeProperties";
            return Err(Rejection::invalid(&at.key("type"), what).hint("say \"multinode\""));
        }
        Some(JobDefinitionType::Multinode | JobDefinitionType::Container) | None => {}
    }
    let elsewhere = [
        ("containerProperties", definition.container_properties.is_some()),
        ("ecsProperties", definition.ecs_properties.is_some()),
    ];
    let said = elsewhere.into_iter().find(|(_, is_said)| *is_said);
    if let (Some(_), Some((key, _))) = (&definition.node_properties, said) {
        let what = "a multi-node job has its containers in nodeProperties";
        return Err(Rejection::invalid(&at.key(key), what).hint("leave it out"));
    }
    let platforms = definition.platform_capabilities.as_deref().unwrap_or_default();
    if platforms.contains(&PlatformCapability::ManagedInstances) {
        let at = at.key("platformCapabilities");
        return Err(Rejection::unsupported(&at, "ECS Managed Instances are not supported")
            .hint("Spillway buys the instances itself: say [\"EC2\"], or leave it out"));
    }
    if platforms.contains(&PlatformCapability::Fargate) {
        let at = at.key("platformCapabilities");
        return Err(Rejection::unsupported(&at, "Fargate is not supported")
            .hint("Spillway runs jobs on EC2: say [\"EC2\"], or leave it out"));
    }
    Ok(())
}

/// Each kind of job has its own overrides.
pub(super) fn check_overrides(
    definition: &JobDefinition,
    message: &SubmitJob,
) -> Result<(), Rejection> {
    let is_said = message.node_overrides.as_ref().is_some_and(|o| *o != NodeOverrides::default());
    if definition.node_properties.is_none() {
        if is_said && !define::is_stand_in(definition) {
            let at = At::Root.key("nodeOverrides");
            return Err(Rejection::invalid(&at, "the job definition has no nodes")
                .hint("use containerOverrides"));
        }
        return Ok(());
    }
    let of_one = message.container_overrides.as_ref();
    let of_several = message.ecs_properties_override.as_ref();
    let others = [
        ("containerOverrides", of_one.is_some_and(|o| *o != ContainerOverrides::default())),
        (
            "ecsPropertiesOverride",
            of_several.is_some_and(|o| *o != EcsPropertiesOverride::default()),
        ),
    ];
    match others.into_iter().find(|(_, is_said)| *is_said) {
        None => Ok(()),
        Some((key, _)) => {
            Err(Rejection::invalid(&At::Root.key(key), "a multi-node job has nodes to override")
                .hint("say it in nodeOverrides.nodePropertyOverrides, with targetNodes"))
        }
    }
}
