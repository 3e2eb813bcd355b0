//! Queues, shares, pools and consumable resources as people and programs see them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use spillway_core::{Gate, Pausable, PoolName, QueueName};
use spillway_engine::{
    Caps, ConsumableStanding, EngineConfig, Held, PoolStanding, QueueStanding, ShareStanding,
};

use crate::output::{Field, Lines, Page, Rows, Tone, View};

/// What is held, and how much may be.
#[derive(Debug, Clone, Serialize)]
pub struct AmountView {
    vcpus: f64,
    memory_mib: u32,
    gpus: u32,
    hosts: u32,
    price_per_hour: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_vcpus: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_memory_mib: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_gpus: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_hosts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_price_per_hour: Option<f64>,
    #[serde(skip)]
    texts: Vec<(&'static str, String)>,
}

fn part(held: &str, max: Option<&str>) -> String {
    max.map_or_else(|| held.to_owned(), |max| format!("{held} of {max}"))
}

impl AmountView {
    fn new(held: &Held, caps: &Caps) -> Self {
        let text = |max: Option<String>, held: String| part(&held, max.as_deref());
        let cpu = |cpu: spillway_core::CpuUnits| cpu.to_string();
        Self {
            vcpus: held.cpu.as_vcpus_f64(),
            memory_mib: held.memory.get(),
            gpus: held.gpus,
            hosts: held.n_hosts,
            price_per_hour: held.price.as_usd_f64(),
            max_vcpus: caps.cpu_max.map(spillway_core::CpuUnits::as_vcpus_f64),
            max_memory_mib: caps.memory_max.map(spillway_core::MiB::get),
            max_gpus: caps.gpus_max,
            max_hosts: caps.hosts_max,
            max_price_per_hour: caps.price_max.map(spillway_core::MicroUsdPerHour::as_usd_f64),
            texts: vec![
                ("vCPUs", text(caps.cpu_max.map(cpu), cpu(held.cpu))),
                ("Memory", text(caps.memory_max.map(|n| n.to_string()), held.memory.to_string())),
                ("GPUs", text(caps.gpus_max.map(|n| n.to_string()), held.gpus.to_string())),
                ("Hosts", text(caps.hosts_max.map(|n| n.to_string()), held.n_hosts.to_string())),
                ("Price", text(caps.price_max.map(|n| n.to_string()), held.price.to_string())),
            ],
        }
    }

    fn vcpus_text(&self) -> String {
        self.texts.first().map(|(_, text)| text.clone()).unwrap_or_default()
    }
}

/// A share of a queue.
#[derive(Debug, Clone, Serialize)]
pub struct ShareView {
    share: String,
    weight: String,
    waiting: u64,
    placed: u32,
    used_vcpu_seconds: u64,
    held: AmountView,
}

/// A consumable resource.
#[derive(Debug, Clone, Serialize)]
pub struct ConsumableView {
    name: String,
    held: u64,
    total: u64,
}

impl From<&ConsumableStanding> for ConsumableView {
    fn from(standing: &ConsumableStanding) -> Self {
        let ConsumableStanding { name, total, held } = standing;
        Self { name: name.to_string(), held: *held, total: *total }
    }
}

/// Why some jobs of a queue are not offered a place.
#[derive(Debug, Clone, Serialize)]
pub struct HeldBackView {
    code: &'static str,
    reason: String,
}

/// A job queue.
#[derive(Debug, Clone, Serialize)]
pub struct QueueView {
    queue: String,
    priority: u32,
    paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_since: Option<Timestamp>,
    pools: Vec<String>,
    fair_share: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_decay_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compute_reservation: Option<u8>,
    waiting: u64,
    placed: u32,
    held: AmountView,
    shares: Vec<ShareView>,
    held_back: Vec<HeldBackView>,
    consumable_resources: Vec<ConsumableView>,
}

fn paused_since(gate: Option<Gate>) -> Option<Timestamp> {
    gate.filter(|gate| gate.is_paused).map(|gate| gate.ordered_at)
}

impl QueueView {
    /// Of a queue, with what the configuration says of it.
    pub fn new(
        standing: &QueueStanding,
        config: &EngineConfig,
        consumable_resources: Vec<ConsumableView>,
    ) -> Self {
        let rules = config.queue(&standing.queue);
        let share = |of: &ShareStanding| ShareView {
            share: of.share.to_string(),
            weight: rules.weight(&of.share).to_string(),
            waiting: of.n_waiting,
            placed: of.n_placed,
            used_vcpu_seconds: of.used_vcpu_secs,
            held: AmountView::new(&of.held, &rules.share_caps(&of.share)),
        };
        let pool = |ord: usize| config.pools.get(ord).map(|pool| pool.name.to_string());
        let since = paused_since(standing.gate);
        Self {
            queue: standing.queue.to_string(),
            priority: rules.priority,
            paused: since.is_some(),
            paused_since: since,
            pools: config.pools_of(&standing.queue).into_iter().filter_map(pool).collect(),
            fair_share: rules.fair_share.is_some(),
            share_decay_seconds: rules.fair_share.map(|fair| fair.decay.as_secs()),
            compute_reservation: rules.fair_share.map(|fair| fair.compute_reservation),
            waiting: standing.n_waiting,
            placed: standing.n_placed,
            held: AmountView::new(&standing.held, &rules.caps),
            shares: standing.shares.iter().map(share).collect(),
            held_back: standing
                .held_back
                .iter()
                .map(|why| HeldBackView { code: why.code(), reason: why.to_string() })
                .collect(),
            consumable_resources,
        }
    }

    /// Whether it is the one of this name.
    pub fn is(&self, queue: &QueueName) -> bool {
        self.queue == queue.as_str()
    }
}

fn state(is_paused: bool) -> Field {
    if is_paused {
        Field::toned("PAUSED".to_owned(), Tone::Warning)
    } else {
        Field::toned("ACTIVE".to_owned(), Tone::Good)
    }
}

impl View for QueueView {
    fn page(&self, page: &mut Page) {
        page.field("Queue", self.queue.clone());
        page.field("State", state(self.paused));
        if let Some(since) = self.paused_since {
            page.field("Paused since", since.to_string());
        }
        page.field("Priority", self.priority.to_string());
        if !self.pools.is_empty() {
            page.field("Pools", self.pools.join(", "));
        }
        page.field("Waiting", self.waiting.to_string());
        page.field("On hosts", self.placed.to_string());
        for (name, text) in &self.held.texts {
            page.field(name, text.clone());
        }
        if let (Some(decay), Some(reserved)) = (self.share_decay_seconds, self.compute_reservation)
        {
            let text = format!("decay {decay} s, compute reservation {reserved} %");
            page.field("Fair share", text);
        }
        for of in &self.consumable_resources {
            page.field("Consumable", format!("{}: {} of {} held", of.name, of.held, of.total));
        }
        for why in &self.held_back {
            page.field("Held back", why.reason.clone());
        }
        let mut table = Rows::new(&["SHARE", "WEIGHT", "WAITING", "ON HOSTS", "VCPUS", "USED"]);
        for of in &self.shares {
            table.row([
                of.share.as_str().into(),
                of.weight.as_str().into(),
                of.waiting.to_string().into(),
                of.placed.to_string().into(),
                of.held.vcpus_text().into(),
                format!("{} vCPU s", of.used_vcpu_seconds).into(),
            ]);
        }
        page.table(table);
    }
}

/// All queues.
#[derive(Debug, Serialize)]
pub struct QueueList {
    /// In the order of the configuration.
    pub queues: Vec<QueueView>,
}

impl View for QueueList {
    fn page(&self, page: &mut Page) {
        let mut table =
            Rows::new(&["QUEUE", "STATE", "PRIORITY", "WAITING", "ON HOSTS", "VCPUS", "POOLS"]);
        for of in &self.queues {
            table.row([
                of.queue.as_str().into(),
                state(of.paused),
                of.priority.to_string().into(),
                of.waiting.to_string().into(),
                of.placed.to_string().into(),
                of.held.vcpus_text().into(),
                of.pools.join(",").into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.queues.iter().try_for_each(|queue| lines.item(queue))
    }
}

/// A pool.
#[derive(Debug, Serialize)]
pub struct PoolView {
    pool: String,
    paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_since: Option<Timestamp>,
    instance_types: Vec<String>,
    zones: Vec<String>,
    markets: Vec<String>,
    architectures: Vec<String>,
    queues: Vec<String>,
    held: AmountView,
}

impl From<&PoolStanding> for PoolView {
    fn from(standing: &PoolStanding) -> Self {
        let offerings = &standing.rules.offerings;
        let since = paused_since(standing.gate);
        Self {
            pool: standing.rules.name.to_string(),
            paused: since.is_some(),
            paused_since: since,
            instance_types: offerings.instance_types.clone(),
            zones: offerings.zones.clone(),
            markets: offerings.markets.iter().map(ToString::to_string).collect(),
            architectures: offerings.archs.iter().map(ToString::to_string).collect(),
            queues: standing.queues.iter().map(ToString::to_string).collect(),
            held: AmountView::new(&standing.held, &standing.rules.caps),
        }
    }
}

impl PoolView {
    /// Whether it is the one of this name.
    pub fn is(&self, pool: &PoolName) -> bool {
        self.pool == pool.as_str()
    }
}

impl View for PoolView {
    fn page(&self, page: &mut Page) {
        let any = |list: &[String]| {
            if list.is_empty() { "any".to_owned() } else { list.join(", ") }
        };
        page.field("Pool", self.pool.clone());
        page.field("State", state(self.paused));
        if let Some(since) = self.paused_since {
            page.field("Paused since", since.to_string());
        }
        page.field("Types", any(&self.instance_types));
        page.field("Zones", any(&self.zones));
        page.field("Markets", any(&self.markets));
        page.field("Architectures", any(&self.architectures));
        page.field("Queues", self.queues.join(", "));
        for (name, text) in &self.held.texts {
            page.field(name, text.clone());
        }
    }
}

/// All pools.
#[derive(Debug, Serialize)]
pub struct PoolList {
    /// In the order of the configuration.
    pub pools: Vec<PoolView>,
}

impl View for PoolList {
    fn page(&self, page: &mut Page) {
        let mut table = Rows::new(&["POOL", "STATE", "HOSTS", "VCPUS", "PRICE", "QUEUES"]);
        for of in &self.pools {
            let text = |name: &str| {
                let found = of.held.texts.iter().find(|(other, _)| *other == name);
                found.map(|(_, text)| text.clone()).unwrap_or_default()
            };
            table.row([
                of.pool.as_str().into(),
                state(of.paused),
                text("Hosts").into(),
                text("vCPUs").into(),
                text("Price").into(),
                of.queues.join(",").into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.pools.iter().try_for_each(|pool| lines.item(pool))
    }
}

/// The answer of `pause` and `resume`.
#[derive(Debug, Serialize)]
pub struct PauseView {
    target: String,
    pause: bool,
    sent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Value>,
}

impl PauseView {
    /// An order that is sent.
    pub fn new(target: &Pausable, pause: bool) -> Self {
        Self { target: target.to_string(), pause, sent: true, message: None }
    }

    /// The same, shown and not sent.
    #[must_use]
    pub fn with_message(self, message: Value) -> Self {
        Self { sent: false, message: Some(message), ..self }
    }
}

impl View for PauseView {
    fn page(&self, page: &mut Page) {
        match &self.message {
            Some(message) => page.line(message.to_string()),
            None => page.line(self.target.clone()),
        }
    }
}
