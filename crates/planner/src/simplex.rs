//! A small linear program in the form `min cost·x, A x = b, x >= 0`, whose columns are made when they are needed.
//!
//! Revised simplex with a dense inverse: right for a hundred rows, not for a thousand. Whoever uses its prices must
//! check them: nothing here is exact.

use crate::amount::DIMS;

/// Entries smaller than this are noise of the inverse.
const PIVOT_MIN: f64 = 1e-9;

pub(crate) struct Simplex {
    n_rows: usize,
    /// The inverse of the basis, row by row.
    inverse: Vec<f64>,
    /// The values of the basic columns.
    x: Vec<f64>,
    cost: Vec<f64>,
    /// What the caller calls the basic columns.
    labels: Vec<Option<usize>>,
}

impl Simplex {
    /// Starts from a basis whose inverse is known; `x` is the inverse times the right-hand side, none negative.
    pub(crate) fn new(inverse: Vec<f64>, x: Vec<f64>, cost: Vec<f64>) -> Self {
        debug_assert_eq!(inverse.len(), x.len() * x.len(), "the inverse is square");
        let labels = vec![None; x.len()];
        Self { n_rows: x.len(), inverse, x, cost, labels }
    }

    /// Names the columns of the starting basis.
    pub(crate) fn label(&mut self, labels: impl Iterator<Item = usize>) {
        for (slot, label) in self.labels.iter_mut().zip(labels) {
            *slot = Some(label);
        }
    }

    /// Gives the named basic columns the costs they have now.
    pub(crate) fn reprice(&mut self, cost_of: impl Fn(usize) -> f64) {
        for (cost, label) in self.cost.iter_mut().zip(&self.labels) {
            if let Some(label) = label {
                *cost = cost_of(*label);
            }
        }
    }

    /// The named basic columns and their values.
    pub(crate) fn values(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.labels.iter().zip(&self.x).filter_map(|(label, x)| label.map(|label| (label, *x)))
    }

    /// The price of each row.
    pub(crate) fn prices(&self) -> Vec<f64> {
        let mut prices = vec![0.0; self.n_rows];
        for (row, cost) in self.inverse.chunks_exact(self.n_rows.max(1)).zip(&self.cost) {
            for (price, entry) in prices.iter_mut().zip(row) {
                *price += cost * entry;
            }
        }
        prices
    }

    /// Brings a column into the basis. Gives false, and changes nothing, where no column can leave for it.
    pub(crate) fn enter(&mut self, column: &[f64], cost: f64) -> bool {
        let mut direction = Vec::with_capacity(self.n_rows);
        for row in self.inverse.chunks_exact(self.n_rows.max(1)) {
            direction.push(row.iter().zip(column).map(|(a, b)| a * b).sum::<f64>());
        }
        self.enter_along(&direction, cost, None)
    }

    /// The same for a column of few entries, given by their rows, with a name of its own.
    pub(crate) fn enter_sparse(
        &mut self,
        column: &[(usize, f64)],
        cost: f64,
        label: Option<usize>,
    ) -> bool {
        let mut direction = Vec::with_capacity(self.n_rows);
        for row in self.inverse.chunks_exact(self.n_rows.max(1)) {
            let entry = |(at, b): &(usize, f64)| row.get(*at).map_or(0.0, |a| a * b);
            direction.push(column.iter().map(entry).sum::<f64>());
        }
        self.enter_along(&direction, cost, label)
    }

    fn enter_along(&mut self, direction: &[f64], cost: f64, label: Option<usize>) -> bool {
        let mut leaving: Option<(usize, f64, f64)> = None;
        for (at, (x, step)) in self.x.iter().zip(direction).enumerate() {
            if *step <= PIVOT_MIN {
                continue;
            }
            let ratio = x / step;
            let is_better = leaving.is_none_or(|(_, least, pivot)| {
                ratio < least - 1e-12 || (ratio <= least + 1e-12 && pivot < *step)
            });
            if is_better {
                leaving = Some((at, ratio, *step));
            }
        }
        let Some((out, _, pivot)) = leaving else { return false };
        self.pivot(out, pivot, direction);
        if let (Some(of_row), Some(slot)) = (self.cost.get_mut(out), self.labels.get_mut(out)) {
            *of_row = cost;
            *slot = label;
        }
        true
    }

    fn pivot(&mut self, out: usize, pivot: f64, direction: &[f64]) {
        let n = self.n_rows;
        let pivot_row: Vec<f64> =
            self.inverse.iter().skip(out * n).take(n).map(|entry| entry / pivot).collect();
        let entering = self.x.get(out).map_or(0.0, |x| x / pivot);
        for (at, row) in self.inverse.chunks_exact_mut(n.max(1)).enumerate() {
            let Some(step) = direction.get(at) else { continue };
            if at == out {
                row.copy_from_slice(&pivot_row);
            } else if PIVOT_MIN * 1e-6 < step.abs() {
                for (entry, of_pivot) in row.iter_mut().zip(&pivot_row) {
                    *entry -= step * of_pivot;
                }
            }
        }
        for (at, (x, step)) in self.x.iter_mut().zip(direction).enumerate() {
            *x = if at == out { entering } else { (*x - step * entering).max(0.0) };
        }
    }
}

/// One row of the program for each kind of host and dimension that matters.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    of: Vec<[Option<usize>; DIMS]>,
    pub(crate) count: usize,
}

impl Rows {
    pub(crate) fn new(is_row: &[[bool; DIMS]]) -> Self {
        let mut count = 0;
        let mut of = Vec::with_capacity(is_row.len());
        for flags in is_row {
            of.push(flags.map(|is_row| {
                is_row.then(|| {
                    count += 1;
                    count - 1
                })
            }));
        }
        Self { of, count }
    }

    pub(crate) fn at(&self, block: usize, dim: usize) -> Option<usize> {
        self.of.get(block).and_then(|rows| rows.get(dim)).copied().flatten()
    }
}
