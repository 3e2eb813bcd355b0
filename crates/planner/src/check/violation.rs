//! The promises of a plan, each as the sentence that is true when it is broken.

use spillway_core::plan::{DemandKey, LimitKind, WaitReason};
use spillway_core::{HostId, JobId, MicroUsdPerHour, MixRule, PoolId, Resources};

/// A promise that a plan does not keep. Launches are named by their place in the plan, from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Jobs are lost, or doubled.
    #[error("{asked} jobs of {key} were asked for, {given} are given a host and {waiting} wait")]
    NotConserved {
        /// The group.
        key: DemandKey,
        /// How many there are.
        asked: u32,
        /// How many are placed or in a launch.
        given: u128,
        /// How many are reported waiting.
        waiting: u128,
    },
    /// Two lines of the report speak of the same group.
    #[error("{key} is reported waiting more than once")]
    WaitsTwice {
        /// The group.
        key: DemandKey,
    },
    /// A line of the report that speaks of no job.
    #[error("{key} is reported waiting with no job")]
    NobodyWaits {
        /// The group.
        key: DemandKey,
    },
    /// The reason is not true.
    #[error("{key} is said to wait because {reason}, which is not so")]
    WrongReason {
        /// The group.
        key: DemandKey,
        /// What the report says.
        reason: WaitReason,
    },
    /// Work for a host that is not there.
    #[error("work is placed on host {host}, which is not known")]
    UnknownHost {
        /// The host.
        host: HostId,
    },
    /// A placement of nothing, or the second of the same.
    #[error("the placement of {key} on host {host} is empty or given twice")]
    BadPlacement {
        /// The host.
        host: HostId,
        /// The group.
        key: DemandKey,
    },
    /// Wrong architecture or market.
    #[error("{key} may not run on host {host}")]
    HostNotAllowed {
        /// The host.
        host: HostId,
        /// The group.
        key: DemandKey,
    },
    /// More work than is free.
    #[error("host {host} has {free} free and is given {load:?} (CPU units, MiB, GPUs)")]
    HostOverfull {
        /// The host.
        host: HostId,
        /// What it has.
        free: Resources,
        /// What it is given: CPU units, MiB, GPUs.
        load: [u128; 3],
    },
    /// A host's own work went elsewhere.
    #[error("host {host} was bought for {key}, which is placed elsewhere or waits")]
    ReservationIgnored {
        /// The host.
        host: HostId,
        /// The group.
        key: DemandKey,
    },
    /// No host, nothing on it, or no pool to buy from.
    #[error("launch {launch} has no host, no contents or no pool")]
    EmptyLaunch {
        /// The launch.
        launch: usize,
    },
    /// More pools than the policy lets one launch name, or one of them twice.
    #[error("launch {launch} names {n_choices} pools, too many or one of them twice")]
    BadChoices {
        /// The launch.
        launch: usize,
        /// How many.
        n_choices: usize,
    },
    /// Pools of several markets or architectures.
    #[error("launch {launch} mixes markets or architectures: {pool}")]
    MixedChoices {
        /// The launch.
        launch: usize,
        /// The first pool that is not like the others.
        pool: PoolId,
    },
    /// A pool that is not in the catalog.
    #[error("launch {launch} buys from {pool}, which is not on offer")]
    UnknownPool {
        /// The launch.
        launch: usize,
        /// The pool.
        pool: PoolId,
    },
    /// A pool that is left alone.
    #[error("launch {launch} buys from {pool}, which is cooling down")]
    CoolingPool {
        /// The launch.
        launch: usize,
        /// The pool.
        pool: PoolId,
    },
    /// A price that is not the catalog's.
    #[error("launch {launch} takes {pool} to cost {price}, it costs {actual}")]
    WrongPrice {
        /// The launch.
        launch: usize,
        /// The pool.
        pool: PoolId,
        /// What the plan says.
        price: MicroUsdPerHour,
        /// What the catalog says.
        actual: MicroUsdPerHour,
    },
    /// An alternative that costs more than the policy allows.
    #[error("launch {launch} may buy from {pool}, which costs more than the allowed premium")]
    TooDear {
        /// The launch.
        launch: usize,
        /// The pool.
        pool: PoolId,
    },
    /// Alternatives are not cheapest first.
    #[error("launch {launch} names {pool} before a cheaper pool")]
    ChoicesUnsorted {
        /// The launch.
        launch: usize,
        /// The pool.
        pool: PoolId,
    },
    /// A host larger than the policy allows.
    #[error("launch {launch} may buy from {pool}, which is larger than a host may be")]
    TooLargeHost {
        /// The launch.
        launch: usize,
        /// The pool.
        pool: PoolId,
    },
    /// Contents that do not fit one of the pools.
    #[error("launch {launch}: {load:?} (CPU units, MiB, GPUs) does not fit {pool} with {capacity}")]
    LaunchOverfull {
        /// The launch.
        launch: usize,
        /// The pool.
        pool: PoolId,
        /// What a host of it has.
        capacity: Resources,
        /// What it would hold: CPU units, MiB, GPUs.
        load: [u128; 3],
    },
    /// Wrong architecture or market.
    #[error("{key} may not run on the hosts of launch {launch}")]
    LaunchNotAllowed {
        /// The launch.
        launch: usize,
        /// The group.
        key: DemandKey,
    },
    /// Contents that name a group twice or with no job.
    #[error("launch {launch} holds {key} twice or no job of it")]
    BadContents {
        /// The launch.
        launch: usize,
        /// The group.
        key: DemandKey,
    },
    /// The launch says its hosts have something else than the first pool has.
    #[error("launch {launch} says its hosts have {says}, the first pool has {has}")]
    WrongCapacity {
        /// The launch.
        launch: usize,
        /// What the launch says.
        says: Resources,
        /// What the catalog says.
        has: Resources,
    },
    /// More is bought than may be, whichever of their pools serve the launches.
    #[error("launches may take {bought} where {limit} leaves {headroom}")]
    LimitExceeded {
        /// Which limit.
        limit: LimitKind,
        /// Hosts, CPU units, or millionths of a dollar per hour.
        bought: u128,
        /// The same of the headroom.
        headroom: u128,
    },
    /// Too much of a market, a pool or a zone is bought.
    #[error("what is bought in {pool} breaks {rule}")]
    MixBroken {
        /// Which rule.
        rule: MixRule,
        /// A pool that is bought from.
        pool: PoolId,
    },
    /// An alternative under which the shares would not be the plan's.
    #[error("launch {launch} may buy from {pool}, which has other vCPUs than the first pool")]
    OtherVcpus {
        /// The launch.
        launch: usize,
        /// The pool.
        pool: PoolId,
    },
    /// The bound cannot be one.
    #[error("the bound {bound} is more than the price {price}")]
    BoundAbovePrice {
        /// The bound.
        bound: MicroUsdPerHour,
        /// What the plan costs.
        price: MicroUsdPerHour,
    },
    /// A multi-node job that is in parts, in a wrong place, or nowhere.
    #[error("multi-node job {job}: {what}")]
    Gang {
        /// The job.
        job: JobId,
        /// What is wrong.
        what: GangFault,
    },
}

/// What is wrong with the plan of a multi-node job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum GangFault {
    /// There is no line for it, or more than one.
    #[error("it is not answered exactly once")]
    NotAnswered,
    /// Nodes start without others.
    #[error("it starts in parts")]
    Partial,
    /// There is room for more nodes of a kind than it has.
    #[error("there is more room than it has nodes")]
    TooMany,
    /// Two nodes on one host.
    #[error("a host has two nodes")]
    Shared,
    /// A seat where it may not run, or that is not there.
    #[error("a seat is on a host that will not do")]
    BadSeat,
    /// It starts where there is no room, or nothing can start.
    #[error("it starts on a host without room")]
    NoRoom,
    /// A host is bought for something else than one node.
    #[error("a host is bought for something else than one node")]
    BadLaunch,
    /// Hosts are bought though some nodes would have no room even then.
    #[error("hosts are bought for some nodes while others have no room")]
    BoughtInParts,
    /// Something is kept or bought for one that may hold nothing.
    #[error("room is kept for it, which is not allowed now")]
    NotAllowed,
}
