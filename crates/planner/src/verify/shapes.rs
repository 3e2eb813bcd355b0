//! The jobs of a problem with their prices, as a walk over one host needs them.

use super::terms::{Amounts, Host, Jobs, Terms};
use super::walk::Item;

/// Architecture and market.
const KINDS: usize = 4;

/// The jobs, those counted together that need the same, may run on the same hosts and are worth the same.
pub(crate) struct Shapes {
    all: Vec<Shape>,
    /// For each kind of host, what everything that may run there needs together.
    totals: [Amounts; KINDS],
    /// Whether everything that may run on hosts of the second kind may run on those of the first.
    covers: [[bool; KINDS]; KINDS],
}

struct Shape {
    jobs: Jobs,
    worth: u64,
}

impl Shape {
    fn may_run(&self, [is_arm, is_spot]: [bool; 2]) -> bool {
        self.jobs.may_run(is_arm, is_spot)
    }
}

/// What tells the kinds of host apart, in the order of their index.
const FLAGS: [[bool; 2]; KINDS] = [[false, false], [false, true], [true, false], [true, true]];

const fn kind_of(host: &Host) -> usize {
    match (host.is_arm, host.is_spot) {
        (false, false) => 0,
        (false, true) => 1,
        (true, false) => 2,
        (true, true) => 3,
    }
}

impl Shapes {
    pub(crate) fn of(terms: &Terms, job_prices: &[u64]) -> Self {
        let mut sorted: Vec<Shape> = Vec::with_capacity(terms.jobs.len());
        for (jobs, worth) in terms.jobs.iter().zip(job_prices) {
            if 0 < jobs.count {
                sorted.push(Shape { jobs: Jobs { secs: 0, ..jobs.clone() }, worth: *worth });
            }
        }
        let key = |s: &Shape| (s.jobs.on_arch, s.jobs.spot_ok, s.jobs.need, s.worth);
        sorted.sort_by_key(key);
        let mut all: Vec<Shape> = Vec::new();
        for shape in sorted {
            match all.last_mut() {
                Some(last) if key(last) == key(&shape) => last.jobs.count += shape.jobs.count,
                Some(_) | None => all.push(shape),
            }
        }
        let mut totals = [[0_u64; 3]; KINDS];
        let mut covers = [[true; KINDS]; KINDS];
        for shape in &all {
            for (other, flags) in FLAGS.into_iter().enumerate() {
                if !shape.may_run(flags) {
                    continue;
                }
                for (sum, need) in totals[other].iter_mut().zip(shape.jobs.need) {
                    *sum = sum.saturating_add(need.saturating_mul(shape.jobs.count));
                }
                for (kind, flags) in FLAGS.into_iter().enumerate() {
                    covers[kind][other] &= shape.may_run(flags);
                }
            }
        }
        Self { all, totals, covers }
    }

    /// What may be put on a host.
    pub(crate) fn items(&self, host: &Host) -> Vec<Item> {
        let flags = FLAGS[kind_of(host)];
        let mut items = Vec::new();
        for shape in self.all.iter().filter(|shape| shape.may_run(flags)) {
            let need = shape.jobs.need;
            let of_dim = |(need, room): (&u64, &u64)| room.checked_div(*need).unwrap_or(u64::MAX);
            let fitting = need.iter().zip(&host.room).map(of_dim).min().unwrap_or(0);
            let most = fitting.min(shape.jobs.count);
            if 0 < most {
                items.push(Item { need, most, worth: shape.worth });
            }
        }
        items
    }

    /// Whether nothing runs on a host.
    pub(crate) fn is_useless(&self, host: &Host) -> bool {
        let flags = FLAGS[kind_of(host)];
        !self.all.iter().any(|s| s.may_run(flags) && fits(&s.jobs.need, &host.room))
    }

    /// Whether everything that `host` could hold of these jobs fits on `other` and may run there. A host never holds
    /// more than there is.
    pub(crate) fn stands_in(&self, other: &Host, host: &Host) -> bool {
        let (kind, of_other) = (kind_of(host), kind_of(other));
        let all = self.totals[kind];
        let useful = [0, 1, 2].map(|dim| host.room[dim].min(all[dim]));
        self.covers[of_other][kind] && fits(&useful, &other.room)
    }
}

pub(crate) fn fits(need: &Amounts, room: &Amounts) -> bool {
    need.iter().zip(room).all(|(need, room)| need <= room)
}
