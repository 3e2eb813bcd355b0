//! Nodes to hosts at the least cost: each node on a host of its own, or on one that is bought for it.
//!
//! Nodes of one kind are alike, and a job has few kinds, so the residual graph of the flow is one of kinds: successive
//! shortest paths over at most a handful of vertices, exact in integers.

/// What is never chosen.
pub(super) const FORBIDDEN: u64 = u64::MAX;

/// Where the nodes of each kind go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    /// For each host the kind that is put there.
    pub(super) on_host: Vec<Option<usize>>,
    /// For each kind how many hosts are bought.
    pub(super) bought: Vec<u32>,
}

/// The step by which a node of a kind finds its place.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// On this host, which has no node yet.
    Take(usize),
    /// On one that is bought.
    Buy,
}

/// `costs[kind][host]` and `prices[kind]` of a host that is bought; [`FORBIDDEN`] where it cannot be. None if not all nodes
/// find a place.
pub(super) fn assign(counts: &[u32], costs: &[Vec<u64>], prices: &[u64]) -> Option<Assignment> {
    let n_hosts = costs.first().map_or(0, Vec::len);
    let mut made = Assignment { on_host: vec![None; n_hosts], bought: vec![0; counts.len()] };
    for (kind, count) in counts.iter().enumerate() {
        for _ in 0..*count {
            place_one(kind, costs, prices, &mut made)?;
        }
    }
    Some(made)
}

/// Gives one more node of a kind its place, moving others where that is cheaper.
fn place_one(kind: usize, costs: &[Vec<u64>], prices: &[u64], made: &mut Assignment) -> Option<()> {
    let n_kinds = costs.len();
    let mut ends: Vec<Option<(i128, Step)>> = vec![None; n_kinds];
    // What it costs more to put a node of the one kind where one of the other is, and on which host.
    let mut swaps: Vec<Vec<Option<(i128, usize)>>> = vec![vec![None; n_kinds]; n_kinds];
    for (of, costs_of) in costs.iter().enumerate() {
        if prices[of] != FORBIDDEN {
            ends[of] = Some((i128::from(prices[of]), Step::Buy));
        }
        for (host, cost) in costs_of.iter().enumerate() {
            if *cost == FORBIDDEN {
                continue;
            }
            match made.on_host[host] {
                None => {
                    let cost = i128::from(*cost);
                    if ends[of].is_none_or(|(least, _)| cost < least) {
                        ends[of] = Some((cost, Step::Take(host)));
                    }
                }
                Some(other) if other != of => {
                    let more = i128::from(*cost) - i128::from(costs[other][host]);
                    if swaps[of][other].is_none_or(|(least, _)| more < least) {
                        swaps[of][other] = Some((more, host));
                    }
                }
                Some(_) => {}
            }
        }
    }
    // Bellman and Ford: no cycle gains, since what is made so far is the cheapest for its nodes.
    let mut reached: Vec<Option<(i128, usize)>> = vec![None; n_kinds];
    reached[kind] = Some((0, kind));
    for _ in 0..n_kinds {
        for from in 0..n_kinds {
            let Some((so_far, _)) = reached[from] else { continue };
            for to in 0..n_kinds {
                let Some((more, _)) = swaps[from][to].filter(|_| to != kind) else { continue };
                if reached[to].is_none_or(|(least, _)| so_far + more < least) {
                    reached[to] = Some((so_far + more, from));
                }
            }
        }
    }
    let total = |of: usize| Some((reached[of]?.0 + ends[of]?.0, of));
    let (_, mut of) = (0..n_kinds).filter_map(total).min()?;
    match ends[of]?.1 {
        Step::Take(host) => made.on_host[host] = Some(of),
        Step::Buy => made.bought[of] = made.bought[of].saturating_add(1),
    }
    while of != kind {
        let (_, from) = reached[of]?;
        let (_, host) = swaps[from][of]?;
        made.on_host[host] = Some(from);
        of = from;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cost(made: &Assignment, costs: &[Vec<u64>], prices: &[u64]) -> u64 {
        let on_hosts = made.on_host.iter().enumerate();
        let seats = on_hosts.filter_map(|(host, kind)| Some(costs[(*kind)?][host]));
        let bought = made.bought.iter().zip(prices);
        let of_bought = bought.filter(|(n, _)| 0 < **n).map(|(n, price)| u64::from(*n) * price);
        seats.sum::<u64>() + of_bought.sum::<u64>()
    }

    /// Tries every host, and buying, for every node.
    fn least(
        nodes: &[usize],
        used: &mut Vec<bool>,
        costs: &[Vec<u64>],
        prices: &[u64],
    ) -> Option<u64> {
        let Some((kind, rest)) = nodes.split_first() else { return Some(0) };
        let mut best: Option<u64> = None;
        let mut consider = |cost: u64, rest: Option<u64>| {
            if let (true, Some(rest)) = (cost != FORBIDDEN, rest) {
                best = Some(best.map_or(cost + rest, |best| best.min(cost + rest)));
            }
        };
        for host in 0..used.len() {
            if !used[host] {
                used[host] = true;
                let rest = least(rest, used, costs, prices);
                used[host] = false;
                consider(costs[*kind][host], rest);
            }
        }
        consider(prices[*kind], least(rest, used, costs, prices));
        best
    }

    proptest! {
        #[test]
        fn the_assignment_is_the_cheapest_of_all(
            counts in proptest::collection::vec(0_u32..3, 1..4),
            drawn in proptest::collection::vec(0_u64..9, 3 * 5),
            prices in proptest::collection::vec(0_u64..12, 3),
            n_hosts in 0_usize..=5,
        ) {
            let or_not = |n: u64| if n == 0 { FORBIDDEN } else { n };
            let kinds = 0..counts.len();
            let costs: Vec<Vec<u64>> = kinds
                .map(|kind| (0..n_hosts).map(|host| or_not(drawn[kind * 5 + host])).collect())
                .collect();
            let prices: Vec<u64> = prices[..counts.len()].iter().map(|n| or_not(*n)).collect();
            let nodes: Vec<usize> = counts.iter().enumerate()
                .flat_map(|(kind, n)| std::iter::repeat_n(kind, usize::try_from(*n).unwrap()))
                .collect();

            let made = assign(&counts, &costs, &prices);

            let best = least(&nodes, &mut vec![false; n_hosts], &costs, &prices);
            prop_assert_eq!(made.as_ref().map(|made| cost(made, &costs, &prices)), best);
            if let Some(made) = made {
                for (kind, count) in counts.iter().enumerate() {
                    let seats = made.on_host.iter().filter(|on| **on == Some(kind)).count();
                    prop_assert_eq!(u32::try_from(seats).unwrap() + made.bought[kind], *count);
                }
            }
        }
    }
}
