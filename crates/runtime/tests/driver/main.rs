//! The driver over small hand-written ports, in paused time: nothing here waits for real.

mod backpressure;
mod calls;
mod ledger;
mod stop;
mod way_of_one_job;
mod world;
