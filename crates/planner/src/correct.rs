//! Prices of jobs corrected by what they have really cost: jobs in hosts that were filled badly are worth more the
//! next time, and so find their hosts before the others have taken what goes well with them (the sequential value
//! correction of Mukhacheva and of Belov and Scheithauer).

use crate::amount::score_of;
use crate::buy::{Guide, Hosts};

/// How far a price follows one packing.
pub(crate) const SLOW: f64 = 0.1;
pub(crate) const FAST: f64 = 0.3;

/// Moves the prices by the part `rate` to what the jobs cost in these hosts.
pub(crate) fn correct(guide: &mut Guide, hosts: &[Hosts], rate: f64) {
    let mut sums = vec![(0.0, 0.0); guide.worth.len()];
    for host in hosts {
        let each = |(at, n): &(usize, u32)| {
            guide.worth.get(*at).map_or(0.0, |worth| worth * f64::from(*n))
        };
        let worth: f64 = host.content.iter().map(each).sum();
        let ratio = score_of(host.offer.price) / worth.max(1e-9);
        for (at, n) in &host.content {
            if let Some((sum, n_jobs)) = sums.get_mut(*at) {
                let n_here = f64::from(*n) * f64::from(host.count);
                *sum += ratio * n_here;
                *n_jobs += n_here;
            }
        }
    }
    for (worth, (sum, n_jobs)) in guide.worth.iter_mut().zip(sums) {
        if 0.0 < n_jobs {
            *worth *= 1.0 - rate + rate * sum / n_jobs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::{Amount, DIMS};
    use crate::headroom::CapSet;
    use crate::prune::Offer;

    #[test]
    fn jobs_in_a_badly_filled_host_become_worth_more_than_those_in_a_full_one() {
        let offer = Offer {
            capacity: Amount([1024, 2048, 0]),
            price: 100,
            class: 0,
            caps: CapSet::default(),
            at: 0,
        };
        let full = Hosts { offer, content: vec![(0, 2)], count: 3 };
        let half_empty = Hosts { offer, content: vec![(1, 1)], count: 1 };
        let mut guide = Guide { worth: vec![50.0, 50.0], weights: vec![[1.0; DIMS]] };

        correct(&mut guide, &[full, half_empty], 0.5);

        assert_eq!(guide.worth, vec![50.0, 75.0]);
    }
}
