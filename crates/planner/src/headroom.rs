//! What may still be bought, counted down exactly.

use spillway_core::plan::{Headroom, LimitKind};
use spillway_core::quota::N_QUOTAS;
use spillway_core::{CpuUnits, Market, MixRule, PoolId, Quota};

use crate::buy::Hosts;
use crate::prune::Offer;

/// Limits on CPU beside the one that counts all: the quotas by their index, then the two markets.
const N_CAPS: usize = N_QUOTAS + 2;
const ON_DEMAND: usize = N_QUOTAS;
const SPOT: usize = N_QUOTAS + 1;

/// The limits on CPU that count a host, beside the one that counts all: one bit for each. Those that are not set are
/// left out, so that offerings are the same to the solver where only such limits tell them apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CapSet(u32);

impl CapSet {
    pub(crate) const NONE: Self = Self(0);

    /// Those of `headroom` that count a host of this pool.
    pub(crate) fn of(pool: &PoolId, headroom: &Headroom) -> Self {
        let market = match pool.market {
            Market::OnDemand => headroom.on_demand.map(|_| ON_DEMAND),
            Market::Spot => headroom.spot.map(|_| SPOT),
        };
        let of_market = market.map_or(0, |at| 1 << at);
        if headroom.quotas.is_none() {
            return Self(of_market);
        }
        let quota = Quota::of(pool).filter(|quota| headroom.quotas.get(*quota).is_some());
        Self(of_market | quota.map_or(0, |quota| 1 << quota.index()))
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the other set has all of these.
    pub(crate) const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    fn has(self, at: usize) -> bool {
        self.0 >> at & 1 == 1
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        (0..N_CAPS).filter(move |at| self.has(*at))
    }
}

/// The headroom that is left. Without a limit of its own the number of hosts is still that of a `u32`, so that
/// every count in a plan, and their sum, can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) hosts: u32,
    pub(crate) cpu: Option<u32>,
    pub(crate) price: Option<u64>,
    /// What `price` is.
    price_limit: LimitKind,
    /// CPU units.
    caps: [Option<u32>; N_CAPS],
}

impl Left {
    pub(crate) fn of(headroom: &Headroom) -> Self {
        let mut caps = [None; N_CAPS];
        for (quota, cpu) in headroom.quotas.iter() {
            caps[quota.index()] = Some(cpu.get());
        }
        caps[ON_DEMAND] = headroom.on_demand.map(CpuUnits::get);
        caps[SPOT] = headroom.spot.map(CpuUnits::get);
        Self {
            hosts: headroom.hosts.unwrap_or(u32::MAX),
            cpu: headroom.cpu.map(CpuUnits::get),
            price: headroom.price.map(spillway_core::MicroUsdPerHour::get),
            price_limit: headroom.price_limit(),
            caps,
        }
    }

    /// No limit but that every count can be told.
    pub(crate) const fn unlimited() -> Self {
        let price_limit = LimitKind::Price;
        Self { hosts: u32::MAX, cpu: None, price: None, price_limit, caps: [None; N_CAPS] }
    }

    /// Whether CPU is limited for hosts of this offering.
    pub(crate) const fn limits_cpu(&self, offer: &Offer) -> bool {
        self.cpu.is_some() || !offer.caps.is_empty()
    }

    /// Whether CPU is limited for any host.
    pub(crate) fn limits_any_cpu(&self) -> bool {
        self.cpu.is_some() || self.caps.iter().any(Option::is_some)
    }

    /// How many hosts of this offering may still be bought.
    pub(crate) fn times(&self, offer: &Offer) -> u32 {
        let by_cpu = self.cpu.and_then(|cpu| cpu.checked_div(offer.capacity.0[0]));
        let by_price = self.price.and_then(|price| price.checked_div(offer.price));
        let by_price = by_price.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let times = self.hosts.min(by_cpu.unwrap_or(u32::MAX)).min(by_price.unwrap_or(u32::MAX));
        if offer.caps.is_empty() { times } else { times.min(self.by_caps(offer)) }
    }

    fn by_caps(&self, offer: &Offer) -> u32 {
        let left = offer.caps.iter().filter_map(|at| self.caps[at]);
        left.filter_map(|left| left.checked_div(offer.capacity.0[0])).min().unwrap_or(u32::MAX)
    }

    /// Counts `n` hosts off; `n` is at most [`Self::times`].
    pub(crate) fn take(&mut self, offer: &Offer, n: u32) {
        let cpu = offer.capacity.0[0].saturating_mul(n);
        self.hosts = self.hosts.saturating_sub(n);
        self.cpu = self.cpu.map(|left| left.saturating_sub(cpu));
        let spent = offer.price.saturating_mul(u64::from(n));
        self.price = self.price.map(|price| price.saturating_sub(spent));
        for at in offer.caps.iter() {
            self.caps[at] = self.caps[at].map(|left| left.saturating_sub(cpu));
        }
    }

    /// Counts a host in again that was counted off.
    pub(crate) fn give_back(&mut self, offer: &Offer) {
        let cpu = offer.capacity.0[0];
        self.hosts = self.hosts.saturating_add(1);
        self.cpu = self.cpu.map(|left| left.saturating_add(cpu));
        self.price = self.price.map(|price| price.saturating_add(offer.price));
        for at in offer.caps.iter() {
            self.caps[at] = self.caps[at].map(|left| left.saturating_add(cpu));
        }
    }

    /// Whether all of `hosts` may be bought.
    pub(crate) fn holds(&self, hosts: &[Hosts]) -> bool {
        let (mut n_hosts, mut cpu, mut price): (u128, u128, u128) = (0, 0, 0);
        let mut of_cap = [0_u128; N_CAPS];
        for host in hosts {
            let count = u128::from(host.count);
            let of_hosts = count * u128::from(host.offer.capacity.0[0]);
            n_hosts += count;
            cpu += of_hosts;
            price = price.saturating_add(count * u128::from(host.offer.price));
            for at in host.offer.caps.iter() {
                of_cap[at] += of_hosts;
            }
        }
        let holds = |(max, cpu): (&Option<u32>, &u128)| max.is_none_or(|max| *cpu <= max.into());
        n_hosts <= u128::from(self.hosts)
            && self.cpu.is_none_or(|max| cpu <= u128::from(max))
            && self.price.is_none_or(|max| price <= u128::from(max))
            && self.caps.iter().zip(&of_cap).all(holds)
    }

    /// Whether what is left allows `count` hosts that were counted off as `offer` to become `other`: one that is dearer,
    /// larger, or counted by another quota.
    pub(crate) fn allows_instead(&self, offer: &Offer, other: &Offer, count: u32) -> bool {
        let more =
            |before: u32| u64::from(other.capacity.0[0].saturating_sub(before)) * u64::from(count);
        let counted = offer.capacity.0[0];
        let more_price = other.price.saturating_sub(offer.price).checked_mul(u64::from(count));
        let before = |at: usize| if offer.caps.has(at) { counted } else { 0 };
        let is_in = |at: usize| self.caps[at].is_none_or(|left| more(before(at)) <= left.into());
        self.cpu.is_none_or(|left| more(counted) <= u64::from(left))
            && self.price.is_none_or(|left| more_price.is_some_and(|more| more <= left))
            && other.caps.iter().all(is_in)
    }

    /// Sets aside what `count` hosts need beyond what was counted off for them if they may become any of `choices`.
    pub(crate) fn set_aside(&mut self, offer: &Offer, choices: &[Offer], count: u32) {
        let counted = offer.capacity.0[0];
        let largest = |choices: &mut dyn Iterator<Item = &Offer>| {
            choices.map(|o| o.capacity.0[0]).max().unwrap_or(0)
        };
        let more = |most: u32, before: u32| most.saturating_sub(before).saturating_mul(count);
        let dearest = choices.iter().map(|o| o.price).max().unwrap_or(0);
        let price = dearest.saturating_sub(offer.price).saturating_mul(u64::from(count));
        let cpu = more(largest(&mut choices.iter()), counted);
        self.price = self.price.map(|left| left.saturating_sub(price));
        self.cpu = self.cpu.map(|left| left.saturating_sub(cpu));
        for (at, left) in self.caps.iter_mut().enumerate() {
            let Some(left) = left else { continue };
            let most = largest(&mut choices.iter().filter(|o| o.caps.has(at)));
            let before = if offer.caps.has(at) { counted } else { 0 };
            *left = left.saturating_sub(more(most, before));
        }
    }

    /// The limit that keeps every one of `offers` from being bought once more: the one of all of them that would have to
    /// be raised for the first.
    pub(crate) fn binding<'a>(&self, offers: impl Iterator<Item = &'a Offer>) -> LimitKind {
        if self.hosts == 0 {
            return LimitKind::Hosts;
        }
        let mut binding = LimitKind::Vcpus;
        for offer in offers {
            let cpu = offer.capacity.0[0];
            if self.cpu.is_some_and(|left| left < cpu) {
                continue;
            }
            let full = offer.caps.iter().find(|at| self.caps[*at].is_some_and(|left| left < cpu));
            let Some(full) = full else { return self.price_limit };
            if binding == LimitKind::Vcpus {
                binding = limit_of(full);
            }
        }
        binding
    }
}

/// What a cap stands for. Those on markets come from the rules of the mix.
fn limit_of(cap: usize) -> LimitKind {
    match Quota::all().nth(cap) {
        Some(quota) => LimitKind::Quota(quota),
        None if cap == ON_DEMAND => LimitKind::Mix(MixRule::SpotMin),
        None => LimitKind::Mix(MixRule::SpotMax),
    }
}
