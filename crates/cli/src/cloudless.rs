//! What stands in for the real cloud in a build without the feature `aws`: it says so, and can do nothing.

use anyhow::Result;
use spillway_core::CloudError;
use spillway_core::port::JobSender;

use crate::config::Config;
use crate::error::Complaint;

/// Says that this build cannot do `what`, and which build can.
pub(crate) fn complaint(what: &str) -> Complaint {
    Complaint::usage(format!("this build of spillway has no AWS in it, so it cannot {what}"))
        .hint("build it with its default features: `cargo build --release`")
}

/// A sender that can never exist.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NoSender {}

impl JobSender for NoSender {
    async fn send(&self, _body: &str) -> Result<String, CloudError> {
        match *self {}
    }
}

/// There is none.
pub(crate) async fn sender(_config: &Config) -> Result<NoSender> {
    std::future::ready(Err(complaint("send messages").into())).await
}
