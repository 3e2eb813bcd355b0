//! Makes a packing cheaper without taking any job out of it.

use crate::amount::Amount;
use crate::buy::{Hosts, Packing};
use crate::demand::{ClassSet, Shape};
use crate::headroom::Left;
use crate::knapsack::Content;
use crate::prune::Offer;

/// What a host needs for its content.
pub(crate) fn load(content: &Content, shapes: &[Shape]) -> Amount {
    let mut load = Amount::default();
    for (at, n) in content {
        if let Some(shape) = shapes.get(*at) {
            load = load.plus(&shape.need, *n);
        }
    }
    load
}

/// Where all of a content may run.
pub(crate) fn classes(content: &Content, shapes: &[Shape]) -> ClassSet {
    let of_shape = |(at, _): &(usize, u32)| shapes.get(*at).map(|s| s.classes);
    content.iter().filter_map(of_shape).fold(ClassSet::ALL, ClassSet::and)
}

/// Puts each content on the cheapest of `offers` that holds it; of equally cheap ones on the first.
///
/// `offers` are sorted by price. With a limit on CPU no host is exchanged for one with more of it.
pub(crate) fn right_size(hosts: &mut [Hosts], offers: &[Offer], shapes: &[Shape], headroom: &Left) {
    for host in hosts {
        let load = load(&host.content, shapes);
        let classes = classes(&host.content, shapes);
        let is_better = |offer: &&Offer| {
            classes.has(offer.class)
                && load.fits(&offer.capacity)
                && offer.caps.is_within(host.offer.caps)
                && (!headroom.limits_cpu(offer) || offer.capacity.0[0] <= host.offer.capacity.0[0])
        };
        let cheapest = offers.iter().take_while(|o| o.price <= host.offer.price).find(is_better);
        if let Some(cheapest) = cheapest {
            host.offer = *cheapest;
        }
    }
}

/// Adds what is left to the hosts that have room for it.
///
/// Of equal hosts some may get more than others: they are no longer equal then.
pub(crate) fn top_up(packing: &mut Packing, shapes: &[Shape]) {
    for (at, shape) in shapes.iter().enumerate() {
        let Some(left) = packing.left.get_mut(at) else { continue };
        // What is left after whole rounds over equal hosts goes on one more of them.
        let mut before = u64::MAX;
        while 0 < *left && *left < before {
            before = *left;
            top_up_with(at, shape, left, &mut packing.hosts, shapes);
        }
    }
}

fn top_up_with(at: usize, shape: &Shape, left: &mut u64, hosts: &mut Vec<Hosts>, shapes: &[Shape]) {
    let mut grown = Vec::with_capacity(hosts.len());
    for host in hosts.drain(..) {
        let free = host.offer.capacity.less(&load(&host.content, shapes), 1);
        let most = u64::from(shape.need.times_in(&free)).min(*left);
        if most == 0 || !shape.classes.has(host.offer.class) {
            grown.push(host);
            continue;
        }
        let each = u32::try_from(most).unwrap_or(u32::MAX);
        let n_topped = u32::try_from(*left / most).unwrap_or(u32::MAX).min(host.count);
        *left -= u64::from(each) * u64::from(n_topped);
        let mut content = host.content.clone();
        match content.iter_mut().find(|(of, _)| *of == at) {
            Some((_, n)) => *n = n.saturating_add(each),
            None => content.push((at, each)),
        }
        content.sort_unstable();
        grown.push(Hosts { offer: host.offer, content, count: n_topped });
        if n_topped < host.count {
            grown.push(Hosts { count: host.count - n_topped, ..host });
        }
    }
    *hosts = grown;
}

/// Joins hosts that are equal in everything and puts all in a fixed order.
pub(crate) fn join_equal(hosts: &mut Vec<Hosts>) {
    hosts.sort_by(|a, b| (a.offer.at, &a.content).cmp(&(b.offer.at, &b.content)));
    hosts.dedup_by(|later, first| {
        let is_equal = later.offer.at == first.offer.at && later.content == first.content;
        if is_equal {
            first.count = first.count.saturating_add(later.count);
        }
        is_equal
    });
}
