//! Stops buying hosts that never register. A broken AMI, role or route breaks every pool of its architecture, so going from one pool to
//! the next would buy for ever; one host now and then is enough to see when it is mended.

use spillway_core::host::HostStatus;
use spillway_core::{Arch, PoolId};

use crate::engine::{Cx, Engine};
use crate::limits;

impl Engine {
    /// Whether so many hosts of an architecture failed to register, and none did since, that only probes are bought.
    pub(crate) fn is_tripped(&self, arch: Arch) -> bool {
        limits::UNREGISTERED_MAX <= self.unregistered.get(&arch).copied().unwrap_or(0)
    }

    /// A host did not register in time.
    pub(crate) fn note_unregistered(&mut self, cx: &mut Cx, arch: Arch) {
        let n = self.unregistered.entry(arch).or_default();
        *n = n.saturating_add(1);
        if !self.is_tripped(arch) {
            return;
        }
        for pool in self.pools_of(arch) {
            self.cool(cx, pool, limits::PROBE_EVERY);
        }
    }

    /// A host registered: whatever was wrong is mended.
    pub(crate) fn note_registered(&mut self, cx: &mut Cx, arch: Arch) {
        let was_tripped = self.is_tripped(arch);
        self.unregistered.remove(&arch);
        if !was_tripped {
            return;
        }
        for pool in self.pools_of(arch) {
            self.forget_cooldown(cx, &pool);
        }
        self.replan_by(cx.now);
    }

    /// How many of `n` hosts may be bought now: one at a time while it is not known whether any would register.
    pub(crate) fn probed(&self, arch: Arch, n: u32) -> u32 {
        if !self.is_tripped(arch) {
            return n;
        }
        let is_probe = |host: &spillway_core::Host| {
            host.arch == arch
                && matches!(host.status(), HostStatus::Requested | HostStatus::Launched)
        };
        let is_under_way = self.hosts().any(is_probe);
        if is_under_way { 0 } else { n.min(1) }
    }

    fn pools_of(&self, arch: Arch) -> Vec<PoolId> {
        let of_arch = self.catalog.offerings().iter().filter(|offering| offering.arch == arch);
        of_arch.map(|offering| offering.pool.clone()).collect()
    }
}
