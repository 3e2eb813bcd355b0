//! The planner's own limits, each with its reason. They count work, never time: a plan is the same on any machine.

/// Unit prices are counted in 2^-32 millionths of a dollar: memory costs about 4 millionths per MiB and hour, so
/// rounding loses nothing one could see, and prices times amounts stay within 128 bits.
pub(crate) const UNIT_PRICE_SHIFT: u32 = 32;

/// Pivots after which the unit prices are taken as they are. They need some tens; the bound is lower, never wrong,
/// if they needed more.
pub(crate) const LP_PIVOTS_MAX: usize = 3000;

/// When filling a host, so many of the most promising shapes are looked at in each step; the rest only once these
/// are used up.
pub(crate) const SHORTLIST_SHAPES: usize = 64;

/// EC2's limit on the overrides of one CreateFleet call.
pub(crate) const CHOICES_MAX: usize = 300;
