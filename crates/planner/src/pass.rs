//! How much work one pass of searching may take. Counted, never timed.

use spillway_core::plan::Effort;

use crate::limits::{
    HIGH_FACTOR, HIGH_FACTOR_OF_MANY, MANY_SHAPES, SHAPES_FOR_NOTHING, SHAPES_PER_PART,
    SHAPES_PER_PART_HIGH, WORK_BASE, WORK_MAX, WORK_PER_DOLLAR_HOUR, WORK_PER_PART_MIN,
    WORK_PER_SHAPE,
};

pub(crate) struct Pass {
    pub(crate) shapes_per_part: usize,
    pub(crate) work_search: u64,
    pub(crate) work_per_part_min: u64,
    pub(crate) work_correct: u64,
    pub(crate) work_repack: u64,
}

impl Pass {
    /// The same with no work for better packings.
    pub(crate) const fn without_packing(self) -> Self {
        Self { work_correct: 0, work_repack: 0, ..self }
    }

    /// The passes of an effort. Each effort has all passes of the lower ones: its plan is never dearer.
    pub(crate) fn all(effort: Effort, n_shapes: usize, bound: u64) -> Vec<Self> {
        let shapes = u64::try_from(n_shapes).unwrap_or(u64::MAX);
        let by_price = (bound / 1_000_000).saturating_mul(WORK_PER_DOLLAR_HOUR);
        let by_shapes = shapes.saturating_sub(SHAPES_FOR_NOTHING).saturating_mul(WORK_PER_SHAPE);
        let work = WORK_BASE.saturating_add(by_price).saturating_add(by_shapes).min(WORK_MAX);
        let first = Self {
            shapes_per_part: SHAPES_PER_PART,
            work_search: work,
            work_per_part_min: WORK_PER_PART_MIN,
            // A greedy packing looks at every shape for every host.
            work_correct: (work / 6).saturating_mul((shapes / 150).clamp(1, 24)),
            // With few shapes a part is hardly smaller than the whole.
            work_repack: (work / 6).min(by_shapes).saturating_mul((shapes / 150).clamp(2, 24)),
        };
        match effort {
            Effort::Default => vec![first],
            Effort::High => {
                let factor = if MANY_SHAPES < n_shapes { HIGH_FACTOR_OF_MANY } else { HIGH_FACTOR };
                let second = Self {
                    shapes_per_part: SHAPES_PER_PART_HIGH,
                    work_search: first.work_search.saturating_mul(factor),
                    work_per_part_min: first.work_per_part_min.saturating_mul(factor),
                    work_correct: first.work_correct.saturating_mul(factor),
                    work_repack: first.work_repack.saturating_mul(factor),
                };
                vec![first, second]
            }
        }
    }
}
