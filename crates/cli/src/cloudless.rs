//! What stands in for the real cloud in a build without the feature `aws`: it says so, and can do nothing.

use crate::error::Complaint;

/// Says that this build cannot do `what`, and which build can.
pub(crate) fn complaint(what: &str) -> Complaint {
    Complaint::usage(format!("this build of spillway has no AWS in it, so it cannot {what}"))
        .hint("build it with its default features: `cargo build --release`")
}
