//! By subject. All names begin with `wire::`, by which the runner limits how many run at once.

mod batch_api;
mod fleet;
mod install;
mod jobs;
mod messages;
mod mistakes;
mod pipelines;
mod restart;
