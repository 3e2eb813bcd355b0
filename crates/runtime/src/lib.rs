//! The edge: the only crate with tasks, clocks and files.
//!
//! [`driver::run`] drives the pure control loop (`spillway_engine`) over the ports: it commits what a step wants
//! written, then performs what it wants done, then tells it what came of that. [`ledger`] is the durable record in a
//! SQLite file, [`journal`] the one in a table that several dispatchers share, [`events`] passes news of jobs on to others, [`health`] the loopback endpoint for probes and scrapers, [`telemetry`] the names of all metrics.
//!
//! Nothing here decides what to buy, where a job runs or whether it runs again, and nothing here knows AWS.

pub mod clock;
pub mod driver;
pub mod events;
pub mod health;
pub mod journal;
pub mod ledger;
pub mod limits;
pub mod ports;
pub mod telemetry;
pub mod turns;

pub use clock::{AcceleratedClock, Clock, SystemClock};
pub use driver::{DriverError, Stopped};
pub use health::Health;
pub use ledger::{SqliteLedger, SqliteReader};
pub use ports::Ports;
pub use turns::Turns;
