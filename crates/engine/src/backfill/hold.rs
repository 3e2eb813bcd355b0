//! Room that is being made for one job, and what others may take meanwhile.

use std::collections::BTreeSet;

use spillway_core::plan::HostView;
use spillway_core::{HostId, JobClass, JobId, Resources};

use crate::waiting::GroupKey;

/// Room that is being made for one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) job: JobId,
    pub(crate) group: GroupKey,
    /// Its class as the alternative that room is made for; its only one, if it has no others.
    pub(crate) class: JobClass,
    pub(crate) making: Making,
}

/// How room is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Making {
    /// What comes free on this host is kept until there is enough.
    Host(HostId),
    /// These take nothing more. When they are gone there is room within the limits to buy one; until then nobody buys.
    Headroom(BTreeSet<HostId>),
}

impl Hold {
    /// Takes out of the planner's view what is kept.
    pub(crate) fn spare(&self, hosts: &mut Vec<HostView>) {
        match &self.making {
            Making::Headroom(held) => hosts.retain(|host| !held.contains(&host.id)),
            Making::Host(held) => {
                let need = self.class.need;
                if let Some(host) = hosts.iter_mut().find(|host| host.id == *held) {
                    host.free = beside(&need, host.free);
                    host.reserved.clear();
                }
                hosts.retain(|host| host.id != *held || host.free != Resources::ZERO);
            }
        }
    }
}

/// What others may take of `free`: nothing before there is enough for the first, and then what is beside it. When what runs
/// will end is only an estimate; that they never delay the first must not rest on one.
pub(super) fn beside(need: &Resources, free: Resources) -> Resources {
    if need.fits(&free) { free.saturating_sub(need) } else { Resources::ZERO }
}
