//! A job's place among others, and orders about what is paused or left alone: share, priority, consumable resources, breakers,
//! bursts.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use super::Rejection;
use crate::breaker::BreakerId;
use crate::id::ConsumableName;
use crate::message::Request;
use crate::message::path::At;
use crate::message::shape::{
    ApproveOrder, ConsumableResourceProperties, JobDefinition, PauseAction, PauseOrder, ResetOrder,
    SubmitJob,
};
use crate::scheduling::{PRIORITY_MAX, Pausable, Scheduling};

/// What a job says of its place, by itself or by its definition; none if neither says anything.
pub(super) fn scheduling(
    job: &SubmitJob,
    definition: &JobDefinition,
) -> Result<Option<Box<Scheduling>>, Rejection> {
    let root = At::Root;
    let at_definition = root.key("jobDefinition");
    let share = job.share_identifier.as_deref().filter(|share| !share.is_empty());
    let share = share.map(|share| name(&root.key("shareIdentifier"), share)).transpose()?;
    let priority = match (job.scheduling_priority_override, definition.scheduling_priority) {
        (Some(own), _) => priority(&root.key("schedulingPriorityOverride"), own)?,
        (None, Some(of_it)) => priority(&at_definition.key("schedulingPriority"), of_it)?,
        (None, None) => 0,
    };
    let own = job.consumable_resource_properties_override.as_ref();
    let of_it = definition.consumable_resource_properties.as_ref();
    let consumes = match (own, of_it) {
        (Some(own), _) => consumes(&root.key("consumableResourcePropertiesOverride"), own)?,
        (None, Some(of_it)) => consumes(&at_definition.key("consumableResourceProperties"), of_it)?,
        (None, None) => BTreeMap::new(),
    };
    let scheduling = Scheduling { share, priority, consumes };
    Ok((!scheduling.is_empty()).then(|| Box::new(scheduling)))
}

fn priority(at: &At<'_>, said: i64) -> Result<u16, Rejection> {
    let within = u16::try_from(said).ok().filter(|priority| *priority <= PRIORITY_MAX);
    within
        .ok_or_else(|| Rejection::invalid(at, &format!("must be 0 to {PRIORITY_MAX}, not {said}")))
}

fn consumes(
    at: &At<'_>,
    said: &ConsumableResourceProperties,
) -> Result<BTreeMap<ConsumableName, u64>, Rejection> {
    let at = at.key("consumableResourceList");
    let mut consumes = BTreeMap::new();
    for (ord, item) in said.consumable_resource_list.iter().flatten().enumerate() {
        let at = at.index(ord);
        let (at_name, at_quantity) = (at.key("consumableResource"), at.key("quantity"));
        let text = item.consumable_resource.as_deref();
        let text = text.ok_or_else(|| Rejection::missing(&at_name))?;
        let of_arn =
            text.split_once(":consumable-resource/").filter(|(arn, _)| arn.starts_with("arn:"));
        let name: ConsumableName = name(&at_name, of_arn.map_or(text, |(_, name)| name))?;
        let said = item.quantity.ok_or_else(|| Rejection::missing(&at_quantity))?;
        let quantity = u64::try_from(said).ok().filter(|quantity| 0 < *quantity);
        let quantity = quantity.ok_or_else(|| {
            Rejection::invalid(&at_quantity, &format!("must be at least 1, not {said}"))
        })?;
        if consumes.insert(name, quantity).is_some() {
            return Err(Rejection::invalid(&at_name, &format!("{text:?} is named twice"))
                .hint("name each resource once, with all it takes"));
        }
    }
    Ok(consumes)
}

/// What an order to pause or resume asks for.
pub(super) fn pause(order: &PauseOrder) -> Result<Request, Rejection> {
    let at = At::Root.key("spillway");
    let spillway = order.spillway.clone().unwrap_or_default();
    let action = spillway.action.ok_or_else(|| Rejection::missing(&at.key("action")))?;
    let target = match action {
        PauseAction::PauseQueue | PauseAction::ResumeQueue => {
            Pausable::Queue(super::queue_of(&At::Root.key("jobQueue"), order.job_queue.clone())?)
        }
        PauseAction::PausePool | PauseAction::ResumePool => {
            let at = at.key("pool");
            let text = spillway.pool.ok_or_else(|| Rejection::missing(&at))?;
            Pausable::Pool(name(&at, &text)?)
        }
    };
    let is_paused = match action {
        PauseAction::PauseQueue | PauseAction::PausePool => true,
        PauseAction::ResumeQueue | PauseAction::ResumePool => false,
    };
    Ok(Request::Pause { target, is_paused })
}

/// The longest subject: an image reference has 255 characters at most, and a call may name two roles of 2,048.
const SUBJECT_MAX: usize = 8_192;

/// Which breaker an order to close one means.
pub(super) fn reset(order: ResetOrder) -> Result<Request, Rejection> {
    let at = At::Root.key("spillway");
    let spillway = order.spillway.unwrap_or_default();
    let (at_kind, at_subject) = (at.key("kind"), at.key("subject"));
    let kind = spillway.kind.ok_or_else(|| Rejection::missing(&at_kind))?;
    let kind = name(&at_kind, &kind)?;
    let subject = spillway.subject.ok_or_else(|| Rejection::missing(&at_subject))?;
    if subject.is_empty() || SUBJECT_MAX < subject.len() {
        let text = format!("must have 1 to {SUBJECT_MAX} bytes");
        return Err(Rejection::invalid(&at_subject, &text));
    }
    Ok(Request::ResetBreaker { target: BreakerId { kind, subject } })
}

/// Which burst an order to buy one means.
pub(super) fn approve(order: ApproveOrder) -> Result<Request, Rejection> {
    let at = At::Root.key("spillway");
    let at_hash = at.key("hash");
    let hash = order.spillway.unwrap_or_default().hash;
    let hash = hash.ok_or_else(|| Rejection::missing(&at_hash))?;
    Ok(Request::ApproveBurst { hash: name(&at_hash, &hash)? })
}

fn name<T: FromStr<Err: Display>>(at: &At<'_>, text: &str) -> Result<T, Rejection> {
    text.parse().map_err(|error| Rejection::invalid(at, &format!("{error}")))
}
