//! ECS's limit on what a start may say otherwise than its task definition. Commands and variables travel there, so a job that
//! could not be started is refused here, not after a machine was bought for it.

use serde_json::Value;

use super::{Rejection, limits};
use crate::container::ContainerSpec;
use crate::message::path::At;
use crate::message::reject::code;

/// What one container's command and variables may take, if it is the only one.
pub(super) const CHARS_MAX: usize = limits::OVERRIDES_CHARS_MAX - limits::OVERRIDES_CHARS_OURS;

/// What the commands and variables of `n` containers may take together: each gets the dispatcher's variables too, in which
/// the names of the job and of its queue come `named` characters long.
pub(super) const fn chars_max(n: usize, named: usize) -> usize {
    let ours = (limits::OVERRIDES_CHARS_OF_EACH + named) * n;
    limits::OVERRIDES_CHARS_MAX.saturating_sub(ours)
}

/// How many characters of JSON a container's command and its variables are.
pub(super) fn chars(container: &ContainerSpec) -> (usize, usize) {
    let quoted = |text: &str| Value::from(text).to_string().chars().count();
    let n_command = container.command.iter().map(|argument| quoted(argument) + ",".len()).sum();
    let entry = r#"{"name":,"value":},"#.len();
    let pair = |(name, value): &(String, String)| quoted(name) + quoted(value) + entry;
    (n_command, container.environment.iter().map(pair).sum())
}

/// The same at a place, for `max` characters.
pub(super) fn too_long(at: &At<'_>, max: usize) -> Rejection {
    let what = format!(
        "command and environment together may have {max} characters of JSON, because ECS takes \
         {} with the dispatcher's own",
        limits::OVERRIDES_CHARS_MAX
    );
    Rejection::at(code::TOO_LARGE, at, &what)
        .hint("put large input where the job can fetch it, and name the place in the message")
}
