//! What may still be bought, counted down exactly.

use spillway_core::plan::{Headroom, LimitKind};

use crate::buy::Hosts;
use crate::prune::Offer;

/// The headroom that is left. Without a limit of its own the number of hosts is still that of a `u32`, so that
/// every count in a plan, and their sum, can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) hosts: u32,
    pub(crate) cpu: Option<u32>,
    pub(crate) price: Option<u64>,
}

impl Left {
    pub(crate) fn of(headroom: &Headroom) -> Self {
        Self {
            hosts: headroom.hosts.unwrap_or(u32::MAX),
            cpu: headroom.cpu.map(spillway_core::CpuUnits::get),
            price: headroom.price.map(spillway_core::MicroUsdPerHour::get),
        }
    }

    /// No limit but that every count can be told.
    pub(crate) const fn unlimited() -> Self {
        Self { hosts: u32::MAX, cpu: None, price: None }
    }

    /// How many hosts of this offering may still be bought.
    pub(crate) fn times(&self, offer: &Offer) -> u32 {
        let by_cpu = self.cpu.and_then(|cpu| cpu.checked_div(offer.capacity.0[0]));
        let by_price = self.price.and_then(|price| price.checked_div(offer.price));
        let by_price = by_price.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        self.hosts.min(by_cpu.unwrap_or(u32::MAX)).min(by_price.unwrap_or(u32::MAX))
    }

    /// Counts `n` hosts off; `n` is at most [`Self::times`].
    pub(crate) fn take(&mut self, offer: &Offer, n: u32) {
        self.hosts = self.hosts.saturating_sub(n);
        self.cpu = self.cpu.map(|cpu| cpu.saturating_sub(offer.capacity.0[0].saturating_mul(n)));
        let spent = offer.price.saturating_mul(u64::from(n));
        self.price = self.price.map(|price| price.saturating_sub(spent));
    }

    /// Counts a host in again that was counted off.
    pub(crate) fn give_back(&mut self, offer: &Offer) {
        self.hosts = self.hosts.saturating_add(1);
        self.cpu = self.cpu.map(|cpu| cpu.saturating_add(offer.capacity.0[0]));
        self.price = self.price.map(|price| price.saturating_add(offer.price));
    }

    /// Whether all of `hosts` may be bought.
    pub(crate) fn holds(&self, hosts: &[Hosts]) -> bool {
        let (mut n_hosts, mut cpu, mut price): (u128, u128, u128) = (0, 0, 0);
        for host in hosts {
            let count = u128::from(host.count);
            n_hosts += count;
            cpu += count * u128::from(host.offer.capacity.0[0]);
            price = price.saturating_add(count * u128::from(host.offer.price));
        }
        n_hosts <= u128::from(self.hosts)
            && self.cpu.is_none_or(|max| cpu <= u128::from(max))
            && self.price.is_none_or(|max| price <= u128::from(max))
    }

    /// The limit that keeps every one of `offers` from being bought once more.
    pub(crate) fn binding<'a>(&self, offers: impl Iterator<Item = &'a Offer>) -> LimitKind {
        if self.hosts == 0 {
            return LimitKind::Hosts;
        }
        for offer in offers {
            if self.cpu.is_none_or(|cpu| offer.capacity.0[0] <= cpu) {
                return LimitKind::Price;
            }
        }
        LimitKind::Vcpus
    }
}
