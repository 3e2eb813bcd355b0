//! Which part of a host's price is for its CPU, which for its memory, which for its GPUs: shares under which jobs, each
//! on the host where its needs cost least, cost as much as possible.
//!
//! That is the dual of a linear program in which hosts and jobs are bought and dealt in parts, but a job only goes
//! where it fits whole. It has few unknowns, one or two for each offering, and is concave. The least of several costs
//! is replaced by a smooth function that comes nearer and nearer to it, and Newton's method follows. All of it is a
//! guess in floats: any shares give a bound, which is worked out elsewhere, in integers.

use crate::amount::{DIMS, score_of};
use crate::cholesky::Symmetric;
use crate::demand::Shape;
use crate::prune::Offer;

/// The smooth minimum of costs `c` is `(sum c^-s)^(-1/s)`; `s` is two to powers from this one on, one after the other.
const SHARPNESS_MIN: u32 = 3;

/// How sharp the minimum is in the end where a bound is wanted: the tests hold it to two ten-thousandths of the best.
pub(crate) const PROVING: u32 = 13;

/// The same for prices that guide: on the shipped traces hardly a decision is another one for what is left out.
pub(crate) const GUIDING: u32 = 9;

/// Newton's steps for each sharpness, at most.
const STEPS_MAX: usize = 4;

/// A step is halved until it is no longer downhill again, but not below this part of itself.
const SHORTEST: f64 = 1e-6;

/// A step that would gain less than this part of all that jobs cost, at sharpness 1, is not worth taking.
const GAIN_MIN: f64 = 0.02;

/// How much no share being nothing counts beside all that jobs cost, at sharpness 1.
const BARRIER: f64 = 0.2;

/// A host whose part in a smooth minimum is less than this has none.
const PART_MIN: f64 = 1e-7;

/// However sharp the minimum, places are looked at where a job costs no more than elsewhere divided by this.
const REACH_MAX: f64 = 0.85;

/// For each offering, which part of its price is for which dimension; they sum up to one.
pub(crate) type Shares = [f64; DIMS];

/// A host that a job may be on.
#[derive(Clone, Copy)]
struct Place {
    offer: usize,
    /// What the job costs there if all of the price is for one dimension.
    alone: [f64; DIMS],
}

/// An offering's unknowns: the shares of all dimensions that matter, but the last, which is what they leave.
#[derive(Clone, Copy, Default)]
struct Unknowns {
    first: usize,
    dims: [usize; DIMS],
    n_dims: usize,
}

impl Unknowns {
    fn n_free(&self) -> usize {
        self.n_dims.saturating_sub(1)
    }

    /// How the cost of a job there grows with each unknown.
    fn slopes(&self, place: &Place) -> [f64; DIMS] {
        let last = place.alone[self.dims[self.n_free()]];
        let mut slopes = [0.0; DIMS];
        for (slope, dim) in slopes.iter_mut().zip(self.dims).take(self.n_free()) {
            *slope = place.alone[dim] - last;
        }
        slopes
    }
}

/// The linear program's dual.
pub(crate) struct Fluid {
    unknowns: Vec<Unknowns>,
    n_unknowns: usize,
    /// Of each shape how many jobs there are, where they may be, and how many of these places are looked at now.
    jobs: Vec<(f64, Vec<Place>, usize)>,
    shares: Vec<Shares>,
}

/// What a host of each offering can use of its capacity: no more than all jobs that fit on it need together.
pub(crate) fn rooms(shapes: &[Shape], counts: &[u64], offers: &[Offer]) -> Vec<[u32; DIMS]> {
    let mut rooms = Vec::with_capacity(offers.len());
    for offer in offers {
        let mut total = crate::amount::Total::default();
        for (shape, count) in shapes.iter().zip(counts) {
            if shape.classes.has(offer.class) && shape.need.fits(&offer.capacity) {
                total.add(&shape.need, *count);
            }
        }
        rooms.push(offer.capacity.clipped_to(&total.clipped()).0);
    }
    rooms
}

impl Fluid {
    pub(crate) fn new(
        shapes: &[Shape],
        counts: &[u64],
        offers: &[Offer],
        rooms: &[[u32; DIMS]],
    ) -> Self {
        let (mut unknowns, mut even) = (Vec::new(), Vec::new());
        let mut n_unknowns = 0;
        for room in rooms {
            let mut of_offer = Unknowns { first: n_unknowns, ..Unknowns::default() };
            for (dim, _) in room.iter().enumerate().filter(|(_, room)| 0 < **room) {
                of_offer.dims[of_offer.n_dims] = dim;
                of_offer.n_dims += 1;
            }
            n_unknowns += of_offer.n_free();
            let n_dims = score_of(u64::try_from(of_offer.n_dims.max(1)).unwrap_or(1));
            let mut of_dims = [0.0; DIMS];
            for dim in of_offer.dims.into_iter().take(of_offer.n_dims) {
                of_dims[dim] = 1.0 / n_dims;
            }
            unknowns.push(of_offer);
            even.push(of_dims);
        }
        let mut jobs = Vec::with_capacity(shapes.len());
        for (shape, count) in shapes.iter().zip(counts) {
            let places = places(shape, offers, rooms);
            if 0 < *count && !places.is_empty() {
                let n_near = places.len();
                jobs.push((score_of(*count), places, n_near));
            }
        }
        Self { unknowns, n_unknowns, jobs, shares: even }
    }

    /// The best shares, as far as a minimum of so much sharpness tells.
    pub(crate) fn solve(mut self, sharpness_max: u32) -> Vec<Shares> {
        let mut best = (self.cost(), self.shares.clone());
        let mut view = View::new(self.n_unknowns);
        for sharpness in SHARPNESS_MIN..=sharpness_max {
            self.choose_near_places(sharpness);
            self.look(&self.shares, sharpness, &mut view);
            for _ in 0..STEPS_MAX {
                let direction = view.direction();
                let gain = dot(&view.slope, &direction);
                let is_worth_it = GAIN_MIN * view.cost < gain * power(sharpness);
                if !is_worth_it || !self.go(&direction, sharpness, gain, &mut view) {
                    break;
                }
            }
            let cost = self.cost();
            if best.0 < cost {
                best = (cost, self.shares.clone());
            }
        }
        best.1
    }

    /// Looks for a while only at places that do not cost so much more than another that the smooth minimum is blind to
    /// them. Later they may be near again.
    fn choose_near_places(&mut self, sharpness: u32) {
        let reach = (1.0 - 40.0 / power(sharpness)).min(REACH_MAX);
        for (_, places, n_near) in &mut self.jobs {
            let cost =
                |place: &Place| self.shares.get(place.offer).map_or(0.0, |s| times(s, place));
            let least = places.iter().map(cost).fold(f64::INFINITY, f64::min);
            let is_far = |place: &Place| least < reach * cost(place);
            places.sort_by_key(|place| (is_far(place), place.offer));
            *n_near = places.iter().take_while(|place| !is_far(place)).count();
        }
    }

    /// What all jobs cost, each where it costs least.
    fn cost(&self) -> f64 {
        let mut total = 0.0;
        for (count, places, _) in &self.jobs {
            let cost =
                |place: &Place| self.shares.get(place.offer).map_or(0.0, |s| times(s, place));
            total += count * places.iter().map(cost).fold(f64::INFINITY, f64::min);
        }
        total
    }

    /// Goes in a direction, not so far that it would be downhill again; false if no way is short enough.
    fn go(&mut self, direction: &[f64], sharpness: u32, gain: f64, view: &mut View) -> bool {
        let before = view.cost;
        let mut length: f64 = 1.0;
        while SHORTEST < length {
            if let Some(moved) = self.moved(direction, length) {
                self.look(&moved, sharpness, view);
                let is_uphill = -0.3 * gain <= dot(&view.slope, direction);
                if is_uphill && before * (1.0 - 1e-3) <= view.cost {
                    self.shares = moved;
                    return true;
                }
            }
            length *= 0.5;
        }
        false
    }

    /// The shares after a step; none where one of them would be nothing.
    fn moved(&self, direction: &[f64], length: f64) -> Option<Vec<Shares>> {
        let mut moved = self.shares.clone();
        for (shares, unknowns) in moved.iter_mut().zip(&self.unknowns) {
            let steps = direction.iter().skip(unknowns.first);
            let mut sum = 0.0;
            for (dim, step) in unknowns.dims.into_iter().take(unknowns.n_free()).zip(steps) {
                shares[dim] += length * step;
                sum += length * step;
            }
            if 1 < unknowns.n_dims {
                shares[unknowns.dims[unknowns.n_free()]] -= sum;
            }
            let mut used = unknowns.dims.into_iter().take(unknowns.n_dims);
            if used.any(|dim| shares[dim].is_nan() || shares[dim] <= 1e-12) {
                return None;
            }
        }
        Some(moved)
    }

    /// What all jobs cost, smoothly; how that grows with each unknown, and how the growth declines.
    fn look(&self, shares: &[Shares], sharpness: u32, view: &mut View) {
        view.clear();
        let mut costs: Vec<f64> = Vec::new();
        let mut near: Vec<Near> = Vec::new();
        for (count, places, n_near) in &self.jobs {
            costs.clear();
            let places = places.get(..*n_near).unwrap_or(places);
            let cost = |place: &Place| shares.get(place.offer).map_or(0.0, |s| times(s, place));
            costs.extend(places.iter().map(cost));
            let least = costs.iter().fold(f64::INFINITY, |a, b| a.min(*b));
            near.clear();
            let mut sum = 0.0;
            for (place, cost) in places.iter().zip(&costs) {
                let mut part = least / cost;
                for _ in 0..sharpness {
                    part *= part;
                }
                if PART_MIN < part
                    && let Some(unknowns) = self.unknowns.get(place.offer)
                {
                    sum += part;
                    let slopes = unknowns.slopes(place).map(|slope| slope / cost);
                    near.push(Near { unknowns: *unknowns, slopes, part });
                }
            }
            let mut root: f64 = sum;
            for _ in 0..sharpness {
                root = root.sqrt();
            }
            for place in &mut near {
                place.part /= sum;
            }
            view.add(&near, count * least / root, power(sharpness));
        }
        self.fence(shares, BARRIER * view.cost / power(sharpness), view);
    }

    /// Keeps every share from becoming nothing: adds the logarithm of each, times `weight` over their number.
    fn fence(&self, shares: &[Shares], weight: f64, view: &mut View) {
        let weight = weight / score_of(u64::try_from(self.n_unknowns.max(1)).unwrap_or(1));
        for (shares, unknowns) in shares.iter().zip(&self.unknowns) {
            let n_free = unknowns.n_free();
            let last = shares[unknowns.dims[n_free]].max(1e-12);
            for ord in 0..n_free {
                let share = shares[unknowns.dims[ord]].max(1e-12);
                let at = unknowns.first + ord;
                if let Some(slope) = view.slope.get_mut(at) {
                    *slope += weight * (1.0 / share - 1.0 / last);
                }
                view.curvature.add(at, at, weight / (share * share));
                for other in 0..=ord {
                    view.curvature.add(at, unknowns.first + other, weight / (last * last));
                }
            }
        }
    }
}

/// A place that has part in the smooth minimum of one shape: its slopes as parts of its cost.
struct Near {
    unknowns: Unknowns,
    slopes: [f64; DIMS],
    part: f64,
}

/// What all jobs cost at some shares, smoothly; how that grows with each unknown, and how the growth declines.
struct View {
    cost: f64,
    slope: Vec<f64>,
    curvature: Symmetric,
}

impl View {
    fn new(n_unknowns: usize) -> Self {
        Self { cost: 0.0, slope: vec![0.0; n_unknowns], curvature: Symmetric::zero(n_unknowns) }
    }

    fn clear(&mut self) {
        self.cost = 0.0;
        self.slope.fill(0.0);
        self.curvature.clear();
    }

    /// Adds jobs of one shape, which cost `cost` together.
    fn add(&mut self, near: &[Near], cost: f64, power: f64) {
        self.cost += cost;
        for place in near {
            let unknowns = place.unknowns;
            let of_offer = self.slope.iter_mut().skip(unknowns.first).take(unknowns.n_free());
            for (slope, of_place) in of_offer.zip(place.slopes) {
                *slope += cost * place.part * of_place;
            }
        }
        if near.len() < 2 {
            return;
        }
        let weight = (1.0 + power) * cost;
        for (at, a) in near.iter().enumerate() {
            for b in near.iter().take(at + 1) {
                let is_same = a.unknowns.first == b.unknowns.first;
                let kept = if is_same { 1.0 } else { 0.0 };
                let factor = weight * a.part * (kept - b.part);
                for (ord_a, slope_a) in a.slopes.iter().enumerate().take(a.unknowns.n_free()) {
                    for (ord_b, slope_b) in b.slopes.iter().enumerate().take(b.unknowns.n_free()) {
                        let (row, column) = (a.unknowns.first + ord_a, b.unknowns.first + ord_b);
                        // Places are in the order of the offerings: only an offering's own block has an upper half.
                        if column <= row {
                            self.curvature.add(row, column, factor * slope_a * slope_b);
                        }
                    }
                }
            }
        }
    }

    /// Newton's direction. Uses the curvature up.
    fn direction(&mut self) -> Vec<f64> {
        let mut direction = self.slope.clone();
        self.curvature.solve(&mut direction);
        direction
    }
}

/// The exponent of a sharpness.
fn power(sharpness: u32) -> f64 {
    f64::from(1_u32 << sharpness)
}

fn times(shares: &Shares, place: &Place) -> f64 {
    shares[0] * place.alone[0] + shares[1] * place.alone[1] + shares[2] * place.alone[2]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Where a job may be, but for what is dearer than another place whatever the shares are.
fn places(shape: &Shape, offers: &[Offer], rooms: &[[u32; DIMS]]) -> Vec<Place> {
    let mut places: Vec<(Place, f64)> = Vec::new();
    let mut ceiling = f64::INFINITY;
    let need = shape.need.as_f64();
    for (at, (offer, room)) in offers.iter().zip(rooms).enumerate() {
        if !shape.classes.has(offer.class) || !shape.need.fits(&offer.capacity) {
            continue;
        }
        let price = score_of(offer.price);
        let (mut alone, mut lowest, mut highest) = ([0.0; DIMS], f64::INFINITY, 0.0_f64);
        for (dim, cost) in alone.iter_mut().enumerate() {
            if 0 < room[dim] {
                *cost = price * need[dim] / f64::from(room[dim]);
                lowest = lowest.min(*cost);
                highest = highest.max(*cost);
            }
        }
        ceiling = ceiling.min(highest);
        places.push((Place { offer: at, alone }, lowest));
    }
    if ceiling <= 0.0 {
        return Vec::new();
    }
    places.retain(|(_, lowest)| *lowest <= ceiling);
    places.into_iter().map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::Amount;
    use crate::demand::ClassSet;
    use crate::headroom::CapSet;

    fn shape(cpu: u32, memory: u32, count: u64) -> Shape {
        let need = Amount([cpu, memory, 0]);
        Shape { need, classes: ClassSet::ALL, count, groups: Vec::new() }
    }

    fn offer(cpu: u32, memory: u32, price: u64) -> Offer {
        Offer {
            capacity: Amount([cpu, memory, 0]),
            price,
            class: 0,
            caps: CapSet::default(),
            at: 0,
        }
    }

    /// What all jobs cost at the best shares.
    fn solved(shapes: &[Shape], offers: &[Offer]) -> f64 {
        let counts: Vec<u64> = shapes.iter().map(|shape| shape.count).collect();
        let rooms = rooms(shapes, &counts, offers);
        let best = Fluid::new(shapes, &counts, offers, &rooms).solve(PROVING);
        Fluid { shares: best, ..Fluid::new(shapes, &counts, offers, &rooms) }.cost()
    }

    #[test]
    fn jobs_that_need_what_is_scarce_pay_for_the_host() {
        // CPU is plentiful; 300 MiB in all take three hosts.
        let shapes = [shape(1, 10, 20), shape(1, 1, 100)];

        let cost = solved(&shapes, &[offer(100, 100, 1_000_000)]);

        assert!((3e6 * (1.0 - 2e-4)..=3e6 * (1.0 + 1e-9)).contains(&cost), "{cost}");
    }

    #[test]
    fn a_job_only_goes_where_it_fits_whole() {
        // The small host is cheaper by the unit, but the large job takes half of the dear one.
        let shapes = [shape(60, 60, 10), shape(1, 1, 2000)];
        let offers = [offer(10, 10, 1_000_000), offer(120, 120, 24_000_000)];

        let cost = solved(&shapes, &offers);

        let least = 10.0 * 12e6 + 2000.0 * 0.1e6;
        assert!((least * (1.0 - 2e-4)..=least * (1.0 + 1e-9)).contains(&cost), "{cost}");
    }

    #[test]
    fn two_kinds_of_host_share_jobs_so_that_neither_is_left_half_empty() {
        // One of each, both full: no price of jobs may be more.
        let shapes = [shape(3, 1, 40), shape(1, 3, 40)];
        let offers = [offer(100, 40, 1_000_000), offer(60, 120, 1_500_000)];

        let cost = solved(&shapes, &offers);

        assert!((2.5e6 * (1.0 - 2e-4)..=2.5e6 * (1.0 + 1e-9)).contains(&cost), "{cost}");
    }
}
