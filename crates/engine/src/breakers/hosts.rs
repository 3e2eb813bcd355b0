//! Hosts that never register. A broken AMI, role or route breaks every pool of its architecture, so going from one pool to the next
//! would buy for ever; one host now and then is enough to see when it is mended.

use spillway_core::host::HostStatus;
use spillway_core::{Arch, BreakerId, HostId, PoolId};

use super::Rule;
use crate::engine::{Cx, Engine};
use crate::limits;

const RULE: Rule = Rule {
    n_failed_max: limits::UNREGISTERED_MAX,
    first: limits::PROBE_EVERY,
    longest: limits::PROBE_EVERY,
};

impl Engine {
    /// Whether so many hosts of an architecture failed to register, and none did since, that only probes are bought.
    fn is_tripped(&self, arch: Arch) -> bool {
        !self.breakers.is_empty() && self.breakers.get(&BreakerId::host(arch)).is_some()
    }

    /// A host did not register in time.
    pub(crate) fn note_unregistered(&mut self, cx: &mut Cx, id: HostId) {
        let Some(host) = self.fleet.get(id).map(|entry| &entry.host) else { return };
        let arch = host.arch;
        let instance = host.instance().map_or("an instance", |instance| instance.id.as_str());
        let mins = self.config.register_timeout.as_mins();
        let reason = format!("{instance} ({}) did not register within {mins} min", host.pool);
        self.note_failed(cx, &BreakerId::host(arch), &reason, RULE, true);
        if !self.is_tripped(arch) {
            return;
        }
        for pool in self.pools_of(arch) {
            self.cool(cx, pool, limits::PROBE_EVERY);
        }
    }

    /// A host registered: whatever was wrong is mended.
    pub(crate) fn note_registered(&mut self, cx: &mut Cx, arch: Arch) {
        if self.note_worked(cx, &BreakerId::host(arch)) {
            self.use_again(cx, arch);
        }
    }

    /// Somebody says that it is mended.
    pub(super) fn reset_hosts(&mut self, cx: &mut Cx, id: &BreakerId) {
        let Ok(arch) = id.subject.parse::<Arch>() else { return };
        self.note_registered(cx, arch);
    }

    fn use_again(&mut self, cx: &mut Cx, arch: Arch) {
        for pool in self.pools_of(arch) {
            self.forget_cooldown(cx, &pool);
        }
        self.replan_by(cx.now);
    }

    /// How many of `n` hosts may be bought now: one at a time while it is not known whether any would register.
    pub(crate) fn probed(&mut self, cx: &mut Cx, arch: Arch, n: u32) -> u32 {
        if !self.is_tripped(arch) {
            return n;
        }
        if self.is_probed(arch) {
            return 0;
        }
        if 0 < n {
            self.begin_probe(cx, &BreakerId::host(arch));
        }
        n.min(1)
    }

    /// A host was not to be had: it is no probe.
    pub(crate) fn note_not_launched(&mut self, cx: &mut Cx, arch: Arch) {
        if self.is_tripped(arch) && !self.is_probed(arch) {
            self.probe_again_at(cx, &BreakerId::host(arch), cx.now);
        }
    }

    fn is_probed(&self, arch: Arch) -> bool {
        self.hosts().any(|host| {
            host.arch == arch
                && matches!(host.status(), HostStatus::Requested | HostStatus::Launched)
        })
    }

    fn pools_of(&self, arch: Arch) -> Vec<PoolId> {
        let of_arch = self.catalog.offerings().iter().filter(|offering| offering.arch == arch);
        of_arch.map(|offering| offering.pool.clone()).collect()
    }
}
