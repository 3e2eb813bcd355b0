//! Whether a multi-node job could ever have all of its nodes at once. Buys and places nothing.

use spillway_core::gang::Gang;
use spillway_core::{CpuUnits, DemandKey, MiB, Offering};

use crate::config::{CapKind, Caps};
use crate::engine::Engine;

/// What the hosts of all nodes have together at least.
#[derive(Debug, Default)]
struct Least {
    n_hosts: u64,
    cpu: u64,
    memory: u64,
    gpus: u64,
}

impl Least {
    /// So many hosts more, each one of these.
    fn add<'a>(&mut self, n: u64, holders: impl Iterator<Item = &'a Offering>) {
        let (mut cpu, mut memory, mut gpus) = (u64::MAX, u64::MAX, u64::MAX);
        for Offering { capacity, .. } in holders {
            cpu = cpu.min(capacity.cpu.get().into());
            memory = memory.min(capacity.memory.get().into());
            gpus = gpus.min(capacity.gpus.into());
        }
        self.n_hosts = self.n_hosts.saturating_add(n);
        self.cpu = self.cpu.saturating_add(cpu.saturating_mul(n));
        self.memory = self.memory.saturating_add(memory.saturating_mul(n));
        self.gpus = self.gpus.saturating_add(gpus.saturating_mul(n));
    }

    /// What is more than caps allow, and how much they do.
    fn exceeds(&self, caps: &Caps) -> Option<(CapKind, String, String)> {
        let vcpus = |n: u64| format!("{} vCPU", CpuUnits::new(short(n)));
        let memory = |n: u64| MiB::new(short(n)).to_string();
        let gpus = |n: u64| format!("{n} GPU");
        let hosts = |n: u64| format!("{n} hosts");
        let of = |kind, has: u64, max: Option<u64>, text: &dyn Fn(u64) -> String| {
            let max = max.filter(|max| *max < has)?;
            Some((kind, text(has), text(max)))
        };
        of(CapKind::Hosts, self.n_hosts, caps.hosts_max.map(u64::from), &hosts)
            .or_else(|| of(CapKind::Vcpus, self.cpu, caps.cpu_max.map(|n| n.get().into()), &vcpus))
            .or_else(|| {
                of(CapKind::Memory, self.memory, caps.memory_max.map(|n| n.get().into()), &memory)
            })
            .or_else(|| of(CapKind::Gpus, self.gpus, caps.gpus_max.map(u64::from), &gpus))
    }
}

fn short(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Engine {
    /// Why a pool could never have all nodes of a job at once, if nothing else ran. Each of its groups of nodes, whose keys
    /// these are, fits some host there. What hosts cost is not asked: prices move.
    pub(crate) fn never_together(
        &self,
        pool: Option<usize>,
        gang: &Gang,
        keys: &[DemandKey],
    ) -> Option<String> {
        let catalog = self.catalog_of(pool);
        let mut least = Least::default();
        for (group, key) in gang.groups.iter().zip(keys) {
            let n_nodes = u64::from(group.last.saturating_sub(group.first)) + 1;
            least.add(n_nodes, spillway_planner::holders(key, catalog, &self.config.plan));
        }
        let limits = &self.config.limits;
        let of_all =
            Caps { hosts_max: limits.hosts_max, cpu_max: limits.cpu_max, ..Caps::default() };
        let of_pool = pool.and_then(|pool| self.config.pools.get(pool));
        let exceeded = least.exceeds(&of_all).map(|found| (found, String::new())).or_else(|| {
            let rules = of_pool?;
            Some((least.exceeds(&rules.caps)?, format!(" of pool {}", rules.name)))
        });
        let ((cap, has, max), whose) = exceeded?;
        let n_nodes = gang.n_nodes();
        Some(format!(
            "Job fits no fleet: its {n_nodes} nodes start together, each on a host of its own, with at least {has}; \
             {cap}{whose} is {max}"
        ))
    }
}
