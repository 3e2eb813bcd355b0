//! Buys hosts: sends the call of a launch that is written down, and takes EC2's answer apart.

use std::collections::BTreeSet;

use spillway_core::change::Cooldown;
use spillway_core::effect::{CallResult, LaunchAnswer, LaunchRequest, LaunchedInstance, PoolFault};
use spillway_core::host::DrainCause;
use spillway_core::launch::LaunchState;
use spillway_core::{
    Arch, Change, CloudError, Effect, Host, HostId, HostState, Instance, Launch, LaunchId,
    MicroUsd, PoolId, Quota,
};

use crate::breakers::{CREATE_FLEET, Gate};
use crate::engine::{Cx, Engine};
use crate::fleet::Entry;
use crate::limits;
use crate::retry::backoff;
use crate::timer::Timer;

impl Engine {
    /// Sends a launch's call, or sends it again with the token it had.
    pub(crate) fn send_launch(&mut self, cx: &mut Cx, id: LaunchId) {
        let Some(open) = self.launches.get_mut(&id) else { return };
        if open.calling {
            return;
        }
        if limits::LAUNCH_STALE_AFTER <= cx.now.duration_since(open.launch.decided_at) {
            self.drop_launch(cx, id, "not answered in time; planned anew".to_owned());
            return;
        }
        if self.drop_launch_if_spent(cx, id) {
            return;
        }
        if self.has_bought_nothing(id) && self.is_held_by_surge(id) {
            self.call_off(cx, id, "not bought: money is paid in vain".to_owned());
            return;
        }
        if let Gate::Later(at) = self.gate(cx, CREATE_FLEET) {
            self.timers.set(at, Timer::Launch(id));
            return;
        }
        let Some(open) = self.launches.get_mut(&id) else { return };
        open.calling = true;
        let launch = &open.launch;
        let of_launch = |id: &HostId| self.fleet.get(*id).map(|entry| entry.host.arch);
        let arch = launch.hosts.iter().find_map(of_launch).unwrap_or(Arch::X86_64);
        let request = LaunchRequest {
            launch: id,
            token: launch.token(),
            market: launch.market,
            arch,
            choices: launch.choices.clone(),
            count: u32::try_from(launch.hosts.len()).unwrap_or(u32::MAX),
        };
        cx.effects.push(Effect::Launch(request));
    }

    pub(crate) fn take_launch(
        &mut self,
        cx: &mut Cx,
        id: LaunchId,
        result: CallResult<LaunchAnswer>,
    ) {
        self.note_answer(cx, CREATE_FLEET, result.as_ref().err());
        match result {
            Ok(answer) => self.settle_launch(cx, id, answer),
            Err(error) => match error {
                // Nothing was bought, and what to buy is decided anew when it is allowed again.
                CloudError::Denied { .. } if self.has_bought_nothing(id) => {
                    self.call_off(cx, id, error.to_string());
                }
                // The account may change: one probe now and then, with the same token.
                CloudError::Unsettled { .. }
                | CloudError::Throttled { .. }
                | CloudError::Denied { .. }
                | CloudError::Misconfigured { .. } => self.launch_again_later(cx, id, &error),
                // Nothing was bought and the same call cannot do better: plan again without these pools.
                CloudError::Quota { .. } => {
                    self.fail_launch(cx, id, PoolFault::QuotaReached, &error);
                }
                CloudError::Invalid { .. } | CloudError::Conflict { .. } => {
                    self.fail_launch(cx, id, PoolFault::Other, &error);
                }
            },
        }
    }

    /// Gives up a launch whose call is not sent again. Its hosts were perhaps bought; then they are found by their tag.
    pub(crate) fn drop_launch(&mut self, cx: &mut Cx, id: LaunchId, why: String) {
        self.call_off(cx, id, why);
        self.observe_soon(cx);
        self.replan_by(cx.now);
    }

    /// Whether no call of a launch can have bought anything.
    fn has_bought_nothing(&self, id: LaunchId) -> bool {
        self.launches.get(&id).is_some_and(|open| !open.may_have_bought)
    }

    /// Gives up a launch, and says why.
    fn call_off(&mut self, cx: &mut Cx, id: LaunchId, why: String) {
        let Some(mut launch) = self.launches.remove(&id).map(|open| open.launch) else { return };
        for host in &launch.hosts {
            self.not_launched(cx, *host);
        }
        self.note_quotas(cx, &launch, &[]);
        let errors = vec![why];
        launch.state = LaunchState::Settled { at: cx.now, n_launched: 0, errors, request_id: None };
        cx.changes.push(Change::PutLaunch(Box::new(launch)));
    }

    fn launch_again_later(&mut self, cx: &mut Cx, id: LaunchId, error: &CloudError) {
        let Some(open) = self.launches.get_mut(&id) else { return };
        open.calling = false;
        open.may_have_bought |= matches!(error, CloudError::Unsettled { .. });
        let LaunchState::Open { n_failed, .. } = open.launch.state else { return };
        let n_failed = n_failed.saturating_add(1);
        let tries = usize::try_from(n_failed).unwrap_or(usize::MAX);
        let pause = if error.is_retryable() { backoff(tries) } else { limits::CALL_RETRY_MAX };
        let retry_at = cx.now + pause;
        open.launch.state = LaunchState::Open { retry_at, n_failed };
        cx.changes.push(Change::PutLaunch(Box::new(open.launch.clone())));
        self.timers.set(retry_at, Timer::Launch(id));
    }

    fn fail_launch(&mut self, cx: &mut Cx, id: LaunchId, fault: PoolFault, error: &CloudError) {
        let Some(open) = self.launches.get(&id) else { return };
        let errors = open.launch.choices.iter().map(|choice| spillway_core::effect::PoolError {
            pool: Some(choice.pool.clone()),
            fault,
            code: error.to_string(),
        });
        let answer = LaunchAnswer { errors: errors.collect(), ..LaunchAnswer::default() };
        self.settle_launch(cx, id, answer);
    }

    /// Records every instance that came, gives up the hosts that did not, and leaves dry pools alone.
    fn settle_launch(&mut self, cx: &mut Cx, id: LaunchId, answer: LaunchAnswer) {
        let Some(open) = self.launches.remove(&id) else { return };
        let mut launch = open.launch;
        let n_launched = u32::try_from(answer.instances.len()).unwrap_or(u32::MAX);
        let is_short = answer.instances.len() < launch.hosts.len();
        let mut instances = answer.instances.into_iter();
        for host in &launch.hosts {
            match instances.next() {
                Some(instance) => self.launched(cx, *host, &launch, instance),
                None => self.not_launched(cx, *host),
            }
        }
        for surplus in instances {
            self.adopt_surplus(cx, &launch, surplus);
        }
        let mut errors: Vec<String> = Vec::new();
        for error in &answer.errors {
            let pool = error.pool.as_ref().map_or("an unnamed pool".to_owned(), PoolId::to_string);
            errors.push(format!("{} in {pool}", error.code));
        }
        self.cool_after(cx, &launch, &answer.errors, is_short);
        self.note_quotas(cx, &launch, &answer.errors);
        if is_short {
            self.replan_by(cx.now);
        }
        launch.state =
            LaunchState::Settled { at: cx.now, n_launched, errors, request_id: answer.request_id };
        cx.changes.push(Change::PutLaunch(Box::new(launch)));
    }

    fn launched(&mut self, cx: &mut Cx, id: HostId, launch: &Launch, instance: LaunchedInstance) {
        if let Some(stray) = self.fleet.of_instance(&instance.id).filter(|known| *known != id) {
            // Seen by a look before its launch was answered: it keeps the record it has.
            debug_assert!(self.fleet.get(stray).is_some());
            self.not_launched(cx, id);
            return;
        }
        let price = self.price_in(launch, &instance.pool);
        let offering = self.catalog.get(&instance.pool);
        let (expected, hazard) = (offering.map(|o| o.capacity), offering.map(|o| o.hazard));
        let gpu = offering.map(|o| o.gpu);
        let (on_demand_price, extras) =
            (self.on_demand_price(&instance.pool), self.extras(&instance.pool));
        let Some(entry) = self.fleet.get_mut(id) else { return };
        if !matches!(entry.host.state, HostState::Requested) {
            return;
        }
        entry.known_at = cx.now;
        if let Some(price) = price {
            (entry.host.price, entry.host.extras) = (price, extras);
        }
        entry.host.on_demand_price = on_demand_price.or(entry.host.on_demand_price);
        entry.host.capacity = expected.unwrap_or(entry.host.capacity);
        entry.host.pool = instance.pool.clone();
        entry.host.hazard = hazard.unwrap_or(entry.host.hazard);
        entry.host.gpu = gpu.unwrap_or(entry.host.gpu);
        let launched_at = instance.launched_at.unwrap_or(cx.now);
        let state = HostState::Launched { instance: Instance { id: instance.id, launched_at } };
        self.move_host(cx, id, state);
        self.timers.set(cx.now + self.config.register_timeout, Timer::Register(id));
        self.forget_cooldown(cx, &instance.pool);
    }

    fn price_in(&self, launch: &Launch, pool: &PoolId) -> Option<spillway_core::MicroUsdPerHour> {
        let planned = launch.choices.iter().find(|c| c.pool == *pool).map(|c| c.price);
        planned.or(self.catalog.get(pool).map(|offering| offering.price))
    }

    fn not_launched(&mut self, cx: &mut Cx, id: HostId) {
        let cause = DrainCause::NoCapacity;
        let gone = HostState::Gone { instance: None, at: cx.now, cause, bill: MicroUsd::ZERO };
        let arch = self.fleet.get(id).map(|entry| entry.host.arch);
        self.move_host(cx, id, gone);
        self.fleet.remove(id);
        if let Some(arch) = arch {
            self.note_not_launched(cx, arch);
        }
        self.note_not_bought(cx, id);
    }

    /// EC2 may give more than was asked for; they are paid for, so they are recorded.
    fn adopt_surplus(&mut self, cx: &mut Cx, launch: &Launch, instance: LaunchedInstance) {
        if self.fleet.of_instance(&instance.id).is_some() {
            return;
        }
        let Some(offering) = self.catalog.get(&instance.pool) else { return };
        let launched_at = instance.launched_at.unwrap_or(cx.now);
        let host = Host {
            id: HostId::adopted(&instance.id),
            launch: Some(launch.id),
            pool: instance.pool.clone(),
            arch: offering.arch,
            gpu: offering.gpu,
            price: offering.price,
            extras: self.extras(&instance.pool),
            on_demand_price: self.on_demand_price(&instance.pool),
            capacity: offering.capacity,
            hazard: offering.hazard,
            reserved: Vec::new(),
            registered_at: None,
            drained_at: None,
            state: HostState::Launched { instance: Instance { id: instance.id, launched_at } },
        };
        self.add_adopted(cx, host);
    }

    /// Takes a running instance without a record into the fleet.
    pub(crate) fn add_adopted(&mut self, cx: &mut Cx, host: Host) {
        let id = host.id;
        cx.changes.push(Change::PutHost(Box::new(host.clone())));
        let pool = self.config.pool_of_host(&host);
        self.fleet.put(Entry::new(host, pool, cx.now));
        self.timers.set(cx.now + self.config.register_timeout, Timer::Register(id));
        self.replan_by(cx.now);
    }

    /// Leaves the pools alone that gave nothing. Where EC2 named none, the planned one is meant.
    fn cool_after(
        &mut self,
        cx: &mut Cx,
        launch: &Launch,
        errors: &[spillway_core::effect::PoolError],
        is_short: bool,
    ) {
        let Some(planned) = launch.choices.first().map(|choice| choice.pool.clone()) else {
            return;
        };
        let named = errors.iter().map(|e| (e.pool.clone().unwrap_or(planned.clone()), e.fault));
        let mut faults: BTreeSet<(PoolId, PoolFault)> = named.collect();
        if faults.is_empty() && is_short {
            faults.insert((planned, PoolFault::NoCapacity));
        }
        // One answer counts once against a pool, however often it names it.
        let mut cooled: BTreeSet<PoolId> = BTreeSet::new();
        for (pool, fault) in faults {
            let base = match fault {
                // An account's vCPU quota counts a whole group of families in one market, so no other pool of it will do better (EC2
                // service quotas, "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances" and its like).
                PoolFault::QuotaReached if Quota::of(&pool).is_some() => continue,
                PoolFault::NoCapacity
                | PoolFault::SubnetFull
                | PoolFault::QuotaReached
                | PoolFault::Other => limits::POOL_COOLDOWN,
                PoolFault::Unsupported => limits::UNSUPPORTED_COOLDOWN,
            };
            if cooled.insert(pool.clone()) {
                self.cool(cx, pool, base);
            }
        }
    }

    /// Leaves a pool alone, longer each time in a row. While it is left alone, more bad news of it (calls that were on their
    /// way, other hosts that are taken back) is of the same outage: `base` from the last of it is enough.
    pub(crate) fn cool(&mut self, cx: &mut Cx, pool: PoolId, base: jiff::SignedDuration) {
        let before = self.cooling.get(&pool);
        let same_outage = before.filter(|cooldown| cx.now < cooldown.until);
        let cooldown = if let Some(same) = same_outage {
            Cooldown { until: same.until.max(cx.now + base), ..*same }
        } else {
            let n_before = before.map_or(0, |cooldown| cooldown.n_failed);
            let longest = limits::POOL_COOLDOWN_MAX.max(base);
            let pause = base.saturating_mul(1 << n_before.min(8)).min(longest);
            Cooldown { until: cx.now + pause, n_failed: n_before.saturating_add(1) }
        };
        if before == Some(&cooldown) {
            return;
        }
        self.cooling.insert(pool.clone(), cooldown);
        cx.changes.push(Change::Cool { pool, cooldown: Some(cooldown) });
    }

    pub(crate) fn forget_cooldown(&mut self, cx: &mut Cx, pool: &PoolId) {
        if self.cooling.remove(pool).is_some() {
            cx.changes.push(Change::Cool { pool: pool.clone(), cooldown: None });
        }
    }

    /// A host that does not register is not worth waiting for, and its pool not worth asking again soon.
    pub(crate) fn register_timed_out(&mut self, cx: &mut Cx, id: HostId) {
        let Some(entry) = self.fleet.get(id) else { return };
        if !matches!(entry.host.state, HostState::Launched { .. }) {
            return;
        }
        let pool = entry.host.pool.clone();
        self.cool(cx, pool, limits::POOL_COOLDOWN);
        self.note_unregistered(cx, id);
        self.begin_termination(cx, id, DrainCause::NeverRegistered);
        self.replan_by(cx.now);
    }
}
