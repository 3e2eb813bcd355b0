//! The vocabulary of Spillway: ids, quantities with units, jobs, hosts, offerings, plans, and what the
//! control loop is told ([`Input`]), what it wants written ([`Change`]) and what it wants done ([`Effect`]).
//!
//! Nothing here performs I/O, reads a clock, draws a random number or knows an AWS crate. The ports
//! ([`port`]) are traits only.

pub mod array;
pub mod attempt;
pub mod audit;
pub mod breaker;
pub mod burst;
pub mod catalog;
pub mod change;
pub mod class;
pub mod coalesce;
pub mod container;
pub mod cost;
pub mod definition;
pub mod dependency;
pub mod durations;
pub mod effect;
pub mod error;
pub mod expected;
pub mod filter;
pub mod gang;
pub mod gpu;
pub mod heard;
pub mod history;
pub mod host;
pub mod id;
pub mod input;
pub mod job;
pub mod job_detail;
pub mod job_event;
pub mod kind;
pub mod launch;
pub mod market;
pub mod message;
pub mod mix;
pub mod money;
pub mod plan;
pub mod port;
pub mod quantity;
pub mod quota;
pub mod retry;
pub mod schedule;
pub mod scheduling;
pub mod spending;
pub mod spot;
pub mod table;
pub mod target;
pub mod task;
pub mod task_spec;
pub mod variant;

pub use array::{ArraySpec, OrdSet};
pub use audit::{AuditDetail, AuditEvent, AuditFilter, AuditKind};
pub use breaker::{Breaker, BreakerId, BreakerKind, BreakerState};
pub use burst::{ApprovedBurst, Burst, BurstHash, HeldBurst};
pub use catalog::{Catalog, Extras, Hazard, InstanceShape, Offering, PoolId};
pub use change::{Change, LedgerState};
pub use class::JobClass;
pub use definition::{DefinitionRecord, DefinitionRef, Definitions};
pub use dependency::{Dependency, DependencyKind};
pub use durations::Durations;
pub use effect::Effect;
pub use error::CloudError;
pub use filter::{Glob, JobFilter, TagRule, TimeRange};
pub use gang::Gang;
pub use gpu::{GpuKind, GpuKinds};
pub use heard::{Asked, Heard};
pub use history::{History, KindHistory, SpotEvidence};
pub use host::{Host, HostState, Instance};
pub use id::{
    AttemptOrd, BudgetName, ClientToken, ConsumableName, ContainerInstanceArn, HostId, InstanceId,
    JobId, JobName, LaunchId, PoolName, QueueName, ShareId, TaskArn, Zone,
};
pub use input::{Answer, Input};
pub use job::{Attempt, Expectation, FailureCategory, Job, JobSpec, JobState, StopCause};
pub use kind::{KindId, kind_name, kind_name_of_variant};
pub use launch::{Launch, LaunchState};
pub use market::{Arch, ArchRule, HostTraits, Market, MarketRule};
pub use mix::{MixRule, MixRules};
pub use money::{MicroUsd, MicroUsdPerHour};
pub use plan::{Busy, Demand, DemandKey, Plan, PlanInput, PlanPolicy, Planned, Planner};
pub use quantity::{CpuUnits, MiB, Resources};
pub use quota::{Quota, QuotaGroup, Quotas};
pub use retry::{MemoryGrowth, RetryAction, RetryRule};
pub use schedule::ScheduleRecord;
pub use scheduling::{Gate, Pausable, Scheduling, ShareUse};
pub use spending::Payer;
pub use target::JobTarget;
pub use variant::{ChoiceId, Variant, VariantOrd, Variants, Way};
