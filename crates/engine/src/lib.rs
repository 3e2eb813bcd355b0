//! The control loop without I/O: what it is told goes in, what to write and what to do come out.
//!
//! `step(now, input) -> Step`. It reads no clock, draws no random number, and depends on no order but that of its
//! inputs, so the simulator runs the very code that production runs. It never performs anything itself.
//!
//! One file per concern, in the way of one job: [`intake`](self) takes messages, `admission` looks whether a job can
//! run at all, `dispatch` says who goes first and who is held back, `backfill` makes room for the first in line,
//! `question` is what the planner is asked, `placement` turns its answer into intents, `launch` buys, `lifecycle` follows
//! tasks, `retry` judges how they ended, `stop` and `interruption` stop them, `scale_in` gives hosts back, and
//! `observation` compares what AWS shows with what is believed. `array` keeps children of arrays as bits until they run, and `dependency`
//! holds jobs back until those they wait for have ended. `schedule` sends jobs by the clock. `breakers` leaves alone what has failed
//! again and again, `budgets` stops whoever has spent what may be spent, and `bursts` holds what somebody has to approve.

mod admission;
mod array;
mod backfill;
mod breakers;
mod budgets;
mod bursts;
pub mod calibration;
mod calls;
pub mod config;
pub mod costs;
mod dependency;
mod dispatch;
mod engine;
mod environment;
mod fleet;
mod forecast;
mod gang;
mod in_use;
mod intake;
mod interruption;
mod lane;
mod launch;
mod lifecycle;
pub mod limits;
mod line;
mod memory;
mod observation;
mod overview;
mod placement;
pub mod policy;
mod question;
mod resume;
mod retry;
mod room;
mod scale_in;
mod schedule;
mod shared;
mod stage;
mod stop;
mod survival;
mod time_limit;
mod timer;
mod waiting;

pub use budgets::{BudgetStanding, BudgetState, SpentBudget};
pub use calls::ApiBudget;
pub use config::{
    BudgetRules, BudgetScope, CapKind, Caps, EngineConfig, FairShare, Limits, OfferingFilter,
    Patience, PoolRules, QueueRules, SharePattern, ShareRules, Weight,
};
pub use dispatch::HeldBack;
pub use engine::{Engine, Step};
pub use forecast::KindForecast;
pub use overview::{
    ConsumableStanding, Held, HeldBackJobs, InLine, PoolStanding, QueueStanding, ShareStanding,
};
pub use policy::{JobException, JobPolicy, JobRules};
pub use question::Standing;
