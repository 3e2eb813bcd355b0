//! A small linear program in the form `min cost·x, A x = b, x >= 0`, whose columns are made when they are needed.
//!
//! Revised simplex with a dense inverse: right for a hundred rows, not for a thousand. Whoever uses its prices must
//! check them: nothing here is exact.

/// Entries smaller than this are noise of the inverse.
const PIVOT_MIN: f64 = 1e-9;

pub(crate) struct Simplex {
    n_rows: usize,
    /// The inverse of the basis, column by column: what a column of the program meets, and what a pivot changes, then
    /// lies side by side.
    inverse: Vec<f64>,
    /// The values of the basic columns.
    x: Vec<f64>,
    cost: Vec<f64>,
    /// What the caller calls the basic columns.
    labels: Vec<Option<usize>>,
    /// The price of each row, kept up with every pivot.
    prices: Vec<f64>,
    /// What pivots have cost so far, in elementary steps.
    n_steps: usize,
}

impl Simplex {
    /// Starts from a basis whose inverse is known, row by row; `x` is the inverse times the right-hand side, none
    /// negative.
    pub(crate) fn new(by_row: &[f64], x: Vec<f64>, cost: Vec<f64>) -> Self {
        debug_assert_eq!(by_row.len(), x.len() * x.len(), "the inverse is square");
        let n_rows = x.len();
        let mut inverse = vec![0.0; by_row.len()];
        for (row, entries) in by_row.chunks_exact(n_rows.max(1)).enumerate() {
            let of_row = inverse.iter_mut().skip(row).step_by(n_rows.max(1));
            for (slot, entry) in of_row.zip(entries) {
                *slot = *entry;
            }
        }
        let (labels, prices) = (vec![None; n_rows], vec![0.0; n_rows]);
        let mut simplex = Self { n_rows, inverse, x, cost, labels, prices, n_steps: 0 };
        simplex.refresh_prices();
        simplex
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
        self.refresh_prices();
    }

    /// The named basic columns and their values.
    pub(crate) fn values(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.labels.iter().zip(&self.x).filter_map(|(label, x)| label.map(|label| (label, *x)))
    }

    /// The price of each row.
    pub(crate) fn prices(&self) -> &[f64] {
        &self.prices
    }

    /// What pivots have cost so far, in elementary steps.
    pub(crate) const fn n_steps(&self) -> usize {
        self.n_steps
    }

    /// Works the prices out anew: they gather errors while pivots keep them up.
    pub(crate) fn refresh_prices(&mut self) {
        self.n_steps += self.inverse.len();
        let columns = self.inverse.chunks_exact(self.n_rows.max(1));
        for (price, column) in self.prices.iter_mut().zip(columns) {
            *price = column.iter().zip(&self.cost).map(|(a, b)| a * b).sum();
        }
    }

    /// Brings a column into the basis, given by its few entries and their rows. Gives false, and changes nothing, where
    /// no column can leave for it.
    pub(crate) fn enter(
        &mut self,
        column: &[(usize, f64)],
        cost: f64,
        label: Option<usize>,
    ) -> bool {
        let mut direction = vec![0.0; self.n_rows];
        let mut reduced = cost;
        for (row, entry) in column {
            reduced -= self.prices.get(*row).copied().unwrap_or(0.0) * entry;
            let of_inverse = self.inverse.iter().skip(row * self.n_rows);
            for (sum, of_row) in direction.iter_mut().zip(of_inverse) {
                *sum += entry * of_row;
            }
        }
        self.n_steps += (2 + column.len()) * self.n_rows;
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
        self.pivot(out, pivot, &direction, reduced);
        if let (Some(of_row), Some(slot)) = (self.cost.get_mut(out), self.labels.get_mut(out)) {
            *of_row = cost;
            *slot = label;
        }
        true
    }

    fn pivot(&mut self, out: usize, pivot: f64, direction: &[f64], reduced: f64) {
        let n = self.n_rows;
        let entering = self.x.get(out).map_or(0.0, |x| x / pivot);
        for (price, column) in self.prices.iter_mut().zip(self.inverse.chunks_exact_mut(n.max(1))) {
            let Some(of_out) = column.get(out).copied() else { continue };
            if of_out == 0.0 {
                continue;
            }
            let of_pivot = of_out / pivot;
            *price += reduced * of_pivot;
            for (entry, step) in column.iter_mut().zip(direction) {
                *entry -= step * of_pivot;
            }
            if let Some(entry) = column.get_mut(out) {
                *entry = of_pivot;
            }
            self.n_steps += n;
        }
        for (at, (x, step)) in self.x.iter_mut().zip(direction).enumerate() {
            *x = if at == out { entering } else { (*x - step * entering).max(0.0) };
        }
    }
}
