//! When messages are sent: at once, one after another, or by chance. What they say is not known here.

use jiff::{SignedDuration, Timestamp};

use super::weighted;
use crate::dice::Roll;
use crate::setting::Spread;

/// When the messages of one source are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrival {
    /// The first, from the start.
    pub at: SignedDuration,
    /// The pause between two; zero sends all at once.
    pub every: SignedDuration,
    /// Instead of a steady pace: independently of each other, somewhere in so long a time.
    pub over: Option<SignedDuration>,
    /// The rates in parts of `over` of equal length, relative to each other; none is the same rate all the time.
    pub rates: Vec<u32>,
}

impl Arrival {
    pub(super) fn of(&self, ord: u32, start: Timestamp, roll: &mut Roll) -> Timestamp {
        let since = match self.over {
            Some(over) if self.rates.is_empty() => {
                roll.within(Spread { min: SignedDuration::ZERO, max: over })
            }
            Some(over) => self.in_some_part(over, roll),
            None => self.every.saturating_mul(i32::try_from(ord).unwrap_or(i32::MAX)),
        };
        start + self.at + since
    }

    /// First which part, by the rates, then when in it.
    fn in_some_part(&self, over: SignedDuration, roll: &mut Roll) -> SignedDuration {
        let part = weighted(self.rates.iter().copied(), roll).unwrap_or(0);
        let n_parts = i32::try_from(self.rates.len()).unwrap_or(i32::MAX);
        let bound = |part: usize| over * i32::try_from(part).unwrap_or(i32::MAX) / n_parts.max(1);
        roll.within(Spread { min: bound(part), max: bound(part + 1) })
    }
}
