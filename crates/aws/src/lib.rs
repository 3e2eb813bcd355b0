//! The ports over the AWS SDK: the only crate that may name an `aws-*` crate.
//!
//! Adapters decide nothing. They turn a request into a call, an answer into facts, and an error code into what the
//! caller does next ([`spillway_core::CloudError`]). They never retry beyond what the SDK does by itself, never
//! invent a token, and never read "not returned" as "gone".

mod cache;
mod call;
mod codes;
mod connect;
mod convert;
pub mod doctor;
mod ec2;
mod ecs;
mod error;
pub mod limits;
mod logs;
mod news;
mod prices;
mod settings;
mod sqs;
mod stack;

pub use connect::Cloud;
pub use ec2::Ec2Compute;
pub use ecs::EcsCluster;
pub use error::ConnectError;
pub use logs::{LogEvent, LogPage, TaskLogs};
pub use news::{News, NewsPlace};
pub use prices::{AwsPrices, PricesFileError};
pub use settings::{AmiSettings, SettingError, Settings};
pub use sqs::{SqsEvents, SqsJobs, SqsSender};
pub use stack::{StackEvent, StackState, StackWish, Stacks};
