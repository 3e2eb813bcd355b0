//! How far this machine's clock is from AWS's, by the `Date` of an answer.
//!
//! AWS refuses a request that was signed more than five minutes ago, or ahead (IAM user guide, "Signature Version 4", on when
//! requests expire): a clock that is wrong looks like wrong credentials.

use std::sync::{Arc, OnceLock};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use jiff::{SignedDuration, Timestamp};

use super::Finding;

const NAME: &str = "clock";

/// Beyond this leases and notices of two minutes suffer.
const SKEW_WARNED: SignedDuration = SignedDuration::from_secs(10);

/// Beyond this AWS refuses requests.
const SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Remembers by how much the clock here was ahead when the first answer came.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<OnceLock<SignedDuration>>);

impl Clock {
    /// None if nobody has answered with a date.
    pub(super) fn finding(&self) -> Option<Finding> {
        self.0.get().map(|ahead| finding(*ahead))
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let theirs = context.response().headers().get("date").and_then(seconds_of);
        if let Some(theirs) = theirs {
            let ahead = SignedDuration::from_secs(Timestamp::now().as_second() - theirs);
            // Only the first counts: those of attempts that came again say nothing more.
            let _ = self.0.set(ahead);
        }
        Ok(())
    }
}

/// Seconds since 1970 of an HTTP date.
fn seconds_of(date: &str) -> Option<i64> {
    aws_smithy_types::DateTime::from_str(date, Format::HttpDate).ok().map(|date| date.secs())
}

fn finding(ahead: SignedDuration) -> Finding {
    let off = ahead.abs();
    let side = if ahead.is_negative() { "behind" } else { "ahead of" };
    let detail = format!("{} s {side} AWS's", off.as_secs());
    let hint = "set the clock by NTP: on EC2 chrony with 169.254.169.123 does it".to_owned();
    if SKEW_MAX <= off {
        let detail = format!("{detail}, which refuses what is signed five minutes off");
        Finding::failed(NAME, detail, Some(hint))
    } else if SKEW_WARNED < off {
        Finding::warning(NAME, detail, Some(hint))
    } else {
        Finding::ok(NAME, format!("within {} s of AWS's", SKEW_WARNED.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_clock_may_be_off_by_seconds_and_not_by_minutes() {
        let outcome = |secs| finding(SignedDuration::from_secs(secs)).outcome;

        assert_eq!(outcome(-10), Outcome::Ok);
        assert_eq!(outcome(11), Outcome::Warning);
        assert_eq!(outcome(-299), Outcome::Warning);
        assert_eq!(outcome(300), Outcome::Failed);
    }

    #[test]
    fn it_is_said_on_which_side_it_is() {
        let detail = |secs| finding(SignedDuration::from_secs(secs)).detail;

        assert_eq!(detail(-42), "42 s behind AWS's");
        assert_eq!(detail(42), "42 s ahead of AWS's");
    }

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(seconds_of("Thu, 01 Jan 1970 00:01:00 GMT"), Some(60));
        assert_eq!(seconds_of("yesterday"), None);
    }
}
