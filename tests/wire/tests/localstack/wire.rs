//! By subject. All names begin with `wire::`, by which the runner limits how many run at once.

mod batch_api;
mod coalesced;
mod failover;
mod fleet;
mod install;
mod jobs;
mod kills;
mod logs;
mod messages;
mod mistakes;
mod news;
mod outside;
mod pipelines;
mod restart;
mod schedules;
