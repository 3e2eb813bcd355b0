//! The linear program of Gilmore and Gomory: how many hosts, in parts, of each content, so that every job is held at
//! the least price. Its columns are contents of one host; its prices say what one job of each shape costs.
//!
//! In floats, and so only a guide: whatever comes of it is counted or proven elsewhere.

use std::collections::BTreeSet;

use crate::amount::score_of;
use crate::demand::Shape;
use crate::knapsack::Content;
use crate::prune::Offer;
use crate::simplex::Simplex;
use crate::work::Work;

/// A column enters if its worth is more than its price by this part.
const GAIN_MIN: f64 = 1e-9;

/// So many columns that help are looked at again before all are.
const LIKELY_MAX: usize = 24;

/// Perturbs the right-hand side, so that no two columns leave together and the simplex method does not circle.
const PERTURBATION: f64 = 1e-6;

/// A content of one host, and the offering it is on, by index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Column {
    pub(crate) offer: usize,
    pub(crate) content: Content,
}

pub(crate) struct Master<'a> {
    offers: &'a [Offer],
    /// The row of each shape that has jobs.
    rows: Vec<Option<usize>>,
    n_rows: usize,
    /// The hosts; none for a column of the box.
    columns: Vec<Option<Column>>,
    known: BTreeSet<Column>,
    /// Each column by rows, and its price.
    entries: Vec<(Vec<(usize, f64)>, f64)>,
    simplex: Simplex,
}

impl<'a> Master<'a> {
    /// Starts with hosts that hold one shape each. None if some shape fits no offering.
    pub(crate) fn new(shapes: &[Shape], counts: &[u64], offers: &'a [Offer]) -> Option<Self> {
        let mut rows = Vec::with_capacity(shapes.len());
        let mut singles = Vec::new();
        let (mut x, mut cost, mut diagonal) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (shape, count)) in shapes.iter().zip(counts).enumerate() {
            if *count == 0 {
                rows.push(None);
                continue;
            }
            let (offer, times) = best_alone(shape, *count, offers)?;
            let row = x.len();
            rows.push(Some(row));
            let nudge = PERTURBATION * score_of(u64::try_from(row + 1).unwrap_or(1));
            x.push((score_of(*count) + nudge) / f64::from(times));
            cost.push(offers.get(offer).map_or(0.0, |o| score_of(o.price)));
            diagonal.push(1.0 / f64::from(times));
            singles.push(Column { offer, content: vec![(at, times)] });
        }
        let n_rows = x.len();
        let mut inverse = vec![0.0; n_rows * n_rows];
        for (entry, value) in inverse.iter_mut().step_by(n_rows + 1).zip(diagonal) {
            *entry = value;
        }
        let mut simplex = Simplex::new(&inverse, x, cost);
        simplex.label(0..n_rows);
        let (columns, known, entries) = (Vec::new(), BTreeSet::new(), Vec::new());
        let mut master = Self { offers, rows, n_rows, columns, known, entries, simplex };
        for single in singles {
            master.add(single);
        }
        for row in 0..n_rows {
            master.entries.push((vec![(row, 1.0)], f64::INFINITY));
            master.columns.push(None);
        }
        for row in 0..n_rows {
            master.entries.push((vec![(row, -1.0)], 0.0));
            master.columns.push(None);
        }
        Some(master)
    }

    /// Keeps the prices within `reach`, as a part, of `center`: jobs may be given away for a little more, and more than
    /// there are may be held for a little less. Prices that cannot jump about settle sooner (the boxstep method of
    /// Marsten, Hogan and Blankenship). Without a center there is no box.
    pub(crate) fn set_box(&mut self, center: Option<&[f64]>, reach: f64) {
        for (shape, row) in self.rows.iter().enumerate() {
            let Some(row) = *row else { continue };
            let of_shape = center.and_then(|center| center.get(shape).copied());
            // Without a box a job given away costs more than any host.
            let alone = self.entries.get(row).map_or(0.0, |(_, price)| *price);
            let (high, low) = match of_shape {
                Some(price) => ((1.0 + reach) * price, f64::max(0.0, 1.0 - reach) * price),
                None => (1e3 * alone.max(1.0), 0.0),
            };
            if let Some((_, price)) = self.entries.get_mut(self.n_rows + row) {
                *price = high;
            }
            if let Some((_, price)) = self.entries.get_mut(2 * self.n_rows + row) {
                *price = -low;
            }
        }
        let entries = &self.entries;
        self.simplex.reprice(|label| entries.get(label).map_or(0.0, |(_, price)| *price));
    }

    /// Whether the box keeps no price from where it would go.
    pub(crate) fn is_box_idle(&self) -> bool {
        let box_columns = self.n_rows..3 * self.n_rows;
        self.simplex.values().all(|(label, x)| !box_columns.contains(&label) || x < 1e-3)
    }

    /// Adds a column; false if it was there.
    pub(crate) fn add(&mut self, column: Column) -> bool {
        if self.known.contains(&column) {
            return false;
        }
        let mut entries = Vec::with_capacity(column.content.len());
        for (shape, n) in &column.content {
            if let Some(row) = self.rows.get(*shape).copied().flatten() {
                entries.push((row, f64::from(*n)));
            }
        }
        let price = self.offers.get(column.offer).map_or(0.0, |o| score_of(o.price));
        self.entries.push((entries, price));
        self.known.insert(column.clone());
        self.columns.push(Some(column));
        true
    }

    /// Finds the best mix of the columns there are; gives the price of one job of each shape.
    pub(crate) fn optimize(&mut self, work: &mut Work) -> Vec<f64> {
        self.simplex.refresh_prices();
        let mut likely: Vec<usize> = Vec::new();
        loop {
            let before = self.simplex.n_steps();
            let is_done = work.is_spent() || !self.step(&mut likely, work);
            work.spend(self.simplex.n_steps() - before);
            if is_done {
                let prices = self.simplex.prices();
                let of_shape = |row: &Option<usize>| row.and_then(|row| prices.get(row).copied());
                return self.rows.iter().map(|row| of_shape(row).unwrap_or(0.0).max(0.0)).collect();
            }
        }
    }

    /// One pivot; false where no column helps. `likely` are columns that helped when all were last looked at.
    fn step(&mut self, likely: &mut Vec<usize>, work: &mut Work) -> bool {
        let prices = self.simplex.prices();
        let highest = prices.iter().fold(0.0, |a: f64, b| a.max(*b));
        let sales = self.entries.iter().enumerate().skip(2 * self.n_rows).zip(prices);
        let short = sales.map(|((at, (_, cost)), price)| (price + cost, at));
        if let Some((shortage, at)) = short.min_by(|a, b| a.0.total_cmp(&b.0))
            && shortage < -1e-12 * highest
            && let Some((entries, cost)) = self.entries.get(at)
        {
            return self.simplex.enter(entries, *cost, Some(at));
        }
        work.spend(4 * self.n_rows + 60 * likely.len());
        let mut best = self.best_of(likely);
        if best.is_none() {
            work.spend(16 * self.entries.len());
            let mut all: Vec<(f64, usize)> = Vec::new();
            for at in 0..self.entries.len() {
                let gain = self.gain(at);
                if 1.0 + GAIN_MIN < gain {
                    all.push((gain, at));
                }
            }
            all.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            all.truncate(LIKELY_MAX);
            *likely = all.iter().map(|(_, at)| *at).collect();
            best = likely.first().copied();
        }
        let Some(at) = best else { return false };
        let Some((entries, price)) = self.entries.get(at) else { return false };
        self.simplex.enter(entries, *price, Some(at))
    }

    fn best_of(&self, likely: &[usize]) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        for at in likely {
            let gain = self.gain(*at);
            if 1.0 + GAIN_MIN < gain && best.is_none_or(|(most, _)| most < gain) {
                best = Some((gain, *at));
            }
        }
        best.map(|(_, at)| at)
    }

    /// A column's worth over its price.
    fn gain(&self, at: usize) -> f64 {
        let Some((entries, price)) = self.entries.get(at) else { return 0.0 };
        if *price < 0.0 {
            return 0.0;
        }
        let prices = self.simplex.prices();
        let each = |(row, n): &(usize, f64)| prices.get(*row).map_or(0.0, |p| p * n);
        entries.iter().map(each).sum::<f64>() / price.max(1e-3)
    }

    /// The columns of the mix and how many hosts of each.
    pub(crate) fn mix(&self) -> Vec<(f64, &Column)> {
        let mut mix = Vec::with_capacity(self.n_rows);
        for (label, value) in self.simplex.values() {
            if let Some(Some(column)) = self.columns.get(label) {
                mix.push((value, column));
            }
        }
        mix.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        mix
    }

    pub(crate) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().flatten()
    }
}

/// The offering that holds jobs of one shape alone at the least price each, and how many.
fn best_alone(shape: &Shape, count: u64, offers: &[Offer]) -> Option<(usize, u32)> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let mut best: Option<(f64, usize, u32)> = None;
    for (at, offer) in offers.iter().enumerate() {
        let times = shape.need.times_in(&offer.capacity).min(count);
        if times == 0 || !shape.classes.has(offer.class) {
            continue;
        }
        let each = score_of(offer.price) / f64::from(times);
        if best.is_none_or(|(least, _, _)| each < least) {
            best = Some((each, at, times));
        }
    }
    best.map(|(_, at, times)| (at, times))
}
