//! A small linear program in the form `min cost·x, A x = b, x >= 0`, whose columns are made when they are needed.
//!
//! Revised simplex with a dense inverse: right for tens of rows, not for hundreds. Whoever uses its prices must
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
}

impl Simplex {
    /// Starts from a basis whose inverse is known; `x` is the inverse times the right-hand side, none negative.
    pub(crate) fn new(inverse: Vec<f64>, x: Vec<f64>, cost: Vec<f64>) -> Self {
        debug_assert_eq!(inverse.len(), x.len() * x.len(), "the inverse is square");
        Self { n_rows: x.len(), inverse, x, cost }
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
        let n = self.n_rows;
        let mut direction = Vec::with_capacity(n);
        for row in self.inverse.chunks_exact(n.max(1)) {
            direction.push(row.iter().zip(column).map(|(a, b)| a * b).sum::<f64>());
        }
        let mut leaving: Option<(usize, f64, f64)> = None;
        for (at, (x, step)) in self.x.iter().zip(&direction).enumerate() {
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
        self.pivot(out, pivot, &direction);
        if let Some(of_row) = self.cost.get_mut(out) {
            *of_row = cost;
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
