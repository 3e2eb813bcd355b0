//! Solves `A x = b` for a symmetric positive definite `A`, dense: right for some hundreds of rows.
//!
//! In floats. Whoever uses the answer must not rely on it being exact.

/// A diagonal entry is kept at least this part of what it was, so that noise never becomes a direction.
const PIVOT_PART_MIN: f64 = 1e-13;

/// The lower half of a symmetric matrix, row by row.
pub(crate) struct Symmetric {
    n: usize,
    entries: Vec<f64>,
}

impl Symmetric {
    pub(crate) fn zero(n: usize) -> Self {
        Self { n, entries: vec![0.0; n * (n + 1) / 2] }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.fill(0.0);
    }

    /// Adds to an entry of the lower half: `column` is at most `row`.
    pub(crate) fn add(&mut self, row: usize, column: usize, value: f64) {
        debug_assert!(column <= row, "the upper half is not kept");
        if let Some(entry) = self.entries.get_mut(row * (row + 1) / 2 + column) {
            *entry += value;
        }
    }

    /// Replaces the matrix by its factor and `b` by the solution.
    pub(crate) fn solve(&mut self, b: &mut [f64]) {
        let mut done: Vec<&[f64]> = Vec::with_capacity(self.n);
        let mut rest = self.entries.as_mut_slice();
        for at in 0..self.n {
            let (row, after) = rest.split_at_mut((at + 1).min(rest.len()));
            rest = after;
            factor_row(row, &done);
            done.push(row);
        }
        // Forwards, then back.
        for (at, row) in done.iter().enumerate() {
            let (known, unknown) = b.split_at_mut(at.min(b.len()));
            if let (Some(x), Some(diagonal)) = (unknown.first_mut(), row.last()) {
                *x = (*x - dot(row, known)) / diagonal;
            }
        }
        for (at, row) in done.iter().enumerate().rev() {
            let (earlier, x) = b.split_at_mut(at.min(b.len()));
            let (Some(x), Some(diagonal)) = (x.first_mut(), row.last()) else { continue };
            *x /= diagonal;
            for (other, entry) in earlier.iter_mut().zip(*row) {
                *other -= entry * *x;
            }
        }
    }
}

/// Turns a row of the matrix into one of the factor; `done` are the rows before it.
fn factor_row(row: &mut [f64], done: &[&[f64]]) {
    for (column, of_column) in done.iter().enumerate() {
        let (before, from) = row.split_at_mut(column.min(row.len()));
        if let (Some(entry), Some(diagonal)) = (from.first_mut(), of_column.last()) {
            *entry = (*entry - dot(of_column, before)) / diagonal;
        }
    }
    if let Some((diagonal, before)) = row.split_last_mut() {
        let least = (*diagonal * PIVOT_PART_MIN).max(f64::MIN_POSITIVE);
        *diagonal = (*diagonal - dot(before, before)).max(least).sqrt();
    }
}

/// In four sums side by side, which the machine adds at once.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (a.get(..n).unwrap_or(a), b.get(..n).unwrap_or(b));
    let (fours_of_a, fours_of_b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest = fours_of_a.remainder().iter().zip(fours_of_b.remainder());
    let mut sums = [0.0; 4];
    for (a, b) in fours_of_a.zip(fours_of_b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest.map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solution_times_the_matrix_is_the_right_hand_side() {
        let by_row = [[4.0, 2.0, -1.0], [2.0, 5.0, 0.5], [-1.0, 0.5, 3.0]];
        let b = [1.0, -2.0, 3.0];
        let mut matrix = Symmetric::zero(3);
        for (row, entries) in by_row.iter().enumerate() {
            for (column, entry) in entries.iter().take(row + 1).enumerate() {
                matrix.add(row, column, *entry);
            }
        }

        let mut x = b;
        matrix.solve(&mut x);

        for (entries, b) in by_row.iter().zip(b) {
            assert!((dot(entries, &x) - b).abs() < 1e-12, "{x:?}");
        }
    }
}
