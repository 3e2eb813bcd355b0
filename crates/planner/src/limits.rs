//! The planner's own limits, each with its reason. They count work, never time: a plan is the same on any machine.

/// Unit prices are counted in 2^-32 millionths of a dollar: memory costs about 4 millionths per MiB and hour, so
/// rounding loses nothing one could see, and prices times amounts stay within 128 bits.
pub(crate) const UNIT_PRICE_SHIFT: u32 = 32;

/// When filling a host, so many of the most promising shapes are looked at in each step; the rest only once these
/// are used up.
pub(crate) const SHORTLIST_SHAPES: usize = 32;

/// The same where there are many shapes, which have few jobs each.
pub(crate) const SHORTLIST_OF_MANY: usize = 64;

/// EC2's limit on the overrides of one CreateFleet call.
pub(crate) const CHOICES_MAX: usize = 300;

/// Shapes that are solved for together. The linear program has a row for each and its effort grows with their cube;
/// beyond this the demand is dealt out into parts of like mixture.
pub(crate) const SHAPES_PER_PART: usize = 250;

/// The same at high effort.
pub(crate) const SHAPES_PER_PART_HIGH: usize = 800;

/// The same where each shape has few jobs: contents are then less alike, and the linear program takes longer.
pub(crate) const SHAPES_PER_PART_OF_FEW: usize = 80;

/// So many jobs to a shape are few.
pub(crate) const FEW_JOBS_PER_SHAPE: u64 = 16;

/// Steps that column generation and diving may take: about a nanosecond each. Thinking costs in proportion to what
/// there is to save: a plan of a few dollars an hour is made in tenths of a second, one of a thousand in one.
pub(crate) const WORK_BASE: u64 = 10_000_000;
pub(crate) const WORK_PER_DOLLAR_HOUR: u64 = 2_000_000;
pub(crate) const WORK_MAX: u64 = 700_000_000;

/// More of it for each shape beyond the few that are solved in no time.
pub(crate) const WORK_PER_SHAPE: u64 = 2_500_000;
pub(crate) const SHAPES_FOR_NOTHING: u64 = 20;

/// How much more work, once all else is done, the high effort spends; less where there are many shapes, whose work
/// grows by itself: it should end within a minute.
pub(crate) const HIGH_FACTOR: u64 = 14;
pub(crate) const HIGH_FACTOR_OF_MANY: u64 = 8;
pub(crate) const MANY_SHAPES: usize = 1000;

/// A plan that is dearer than its bound by no more than one of so many parts is not worth more work.
pub(crate) const GAP_PARTS: u128 = 10_000;

/// Packings with corrected prices in a row.
pub(crate) const CORRECTIONS_MAX: usize = 60;

/// The same for each part, so that many parts do not go without.
pub(crate) const WORK_PER_PART_MIN: u64 = 25_000_000;

/// Columns after which the linear program is solved again: its prices are stale by then.
pub(crate) const COLUMNS_PER_ROUND: usize = 30;

/// Branches looked at in the search for the best content of one offering. Contents of few jobs are searched in full;
/// for many small jobs the bound at the root is tight.
pub(crate) const EXACT_NODES_MAX: u32 = 3000;

/// The same at last, when nothing but the proof is missing.
pub(crate) const EXACT_NODES_LAST: u32 = 200_000;

/// Times the linear program is solved again for what rounding has left. Each time at least one host is bought.
pub(crate) const DIVES_MAX: usize = 60;

/// Hosts that are packed anew together, at most, and shapes in them.
pub(crate) const REPACK_HOSTS_MAX: usize = 20;
pub(crate) const REPACK_SHAPES_MAX: usize = 150;

/// Of equal hosts only so many are packed anew.
pub(crate) const REPACK_EQUAL_HOSTS_MAX: u32 = 4;

/// So many hosts are packed anew in two halves side by side, dealt so often: with fewer, too many exchanges would be
/// between the halves.
pub(crate) const REPACK_HALVES_HOSTS_MIN: usize = 60;
pub(crate) const REPACK_ROUNDS: u64 = 4;

/// Below so many shapes a second thread is not worth the while.
pub(crate) const SIDE_BY_SIDE_SHAPES_MIN: usize = 40;

/// Greedy tries for each part.
pub(crate) const REPACK_GREEDS: usize = 3;

/// Steps of column generation and diving for one part.
pub(crate) const REPACK_WORK: u64 = 10_000_000;

/// Parts of the demand, and parts times contents, up to which the cheapest hosts are found exactly: some ten
/// milliseconds. Eleven jobs that all differ are 2,048 parts.
pub(crate) const TINY_PARTS_MAX: usize = 4096;
pub(crate) const TINY_STEPS_MAX: usize = 3_000_000;

/// Shapes beyond which the bill is bounded by resource prices alone.
pub(crate) const BILL_SHAPES_MAX: usize = 300;

/// Steps that column generation may take for a bill.
pub(crate) const BILL_PRICING_WORK: u64 = 300_000_000;

/// Hosts that are dissolved at once when a bill is improved: at least two, to exchange jobs.
pub(crate) const BILL_HOSTS_DISSOLVED_MAX: usize = 5;

/// Jobs weighed when a bill is improved: a million take some six milliseconds.
pub(crate) const BILL_STEPS_MAX: u64 = 200_000_000;

/// Times that hosts are dissolved in a row without a better bill, before the search ends.
pub(crate) const BILL_IDLE_ROUNDS_MAX: usize = 1500;

/// Jobs weighed by greedy plans after which no further one is begun. The first is always finished.
pub(crate) const BILL_GREEDY_STEPS_MAX: u64 = 150_000_000;

/// Offerings times horizons times shapes that a greedy plan looks at before it opens its first host.
pub(crate) const BILL_CHOICES_TIMES_SHAPES_MAX: usize = 250_000;

/// Branches that one walk for a certificate may take, and all of them together: a million take less than a second.
pub(crate) const CERTIFICATE_BRANCHES_PER_HOST: u64 = 40_000;
pub(crate) const CERTIFICATE_BRANCHES_MAX: u64 = 800_000;

/// Jobs weighed in the search of unit prices for a certificate. Beyond it the bound rests on resource prices.
pub(crate) const CERTIFICATE_TUNING_STEPS_MAX: u64 = 150_000_000;
