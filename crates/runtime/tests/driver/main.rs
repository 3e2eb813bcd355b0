//! The driver over small hand-written ports, in paused time: nothing here waits for real.
//!
//! The modules are marked as tests because clippy takes helpers for library code otherwise.

#[cfg(test)]
mod backpressure;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod telling;
#[cfg(test)]
mod way_of_one_job;
#[cfg(test)]
mod world;
