//! Deals groups that the solver counted as one back to the hosts that hold them.
//!
//! Hosts with equal contents stay together as far as the groups allow, and groups are dealt in their order, so that
//! what comes first in several piles ends up on the same hosts.

/// A pile of things that are equal to the solver: groups and how many there are of each.
pub(crate) struct Pile<T> {
    groups: Vec<(T, u64)>,
    /// The group that is dealt from.
    at: usize,
}

/// So many hosts, each with these contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dealt<T> {
    pub(crate) count: u32,
    pub(crate) contents: Vec<(T, u32)>,
}

impl<T: Copy> Pile<T> {
    pub(crate) fn new(groups: Vec<(T, u64)>) -> Self {
        Self { groups, at: 0 }
    }

    /// What `n` of the pile are made of, and how many times in a row that can be taken.
    fn peek(&self, n: u32) -> (Vec<(T, u32)>, u32) {
        let mut parts = Vec::new();
        let mut wanted = n;
        for (group, have) in self.groups.iter().skip(self.at) {
            if wanted == 0 {
                break;
            }
            let taken = u32::try_from(*have).unwrap_or(u32::MAX).min(wanted);
            if 0 < taken {
                parts.push((*group, taken));
                wanted -= taken;
            }
        }
        let first = self.groups.iter().skip(self.at).find(|(_, have)| 0 < *have);
        let in_row = match first {
            Some((_, have)) if parts.len() == 1 => have
                .checked_div(u64::from(n))
                .map_or(u32::MAX, |r| u32::try_from(r).unwrap_or(u32::MAX)),
            Some(_) | None => 1,
        };
        (parts, in_row.max(1))
    }

    fn take(&mut self, mut n: u64) {
        while 0 < n
            && let Some((_, have)) = self.groups.get_mut(self.at)
        {
            let taken = n.min(*have);
            *have -= taken;
            n -= taken;
            if *have == 0 {
                self.at += 1;
            }
        }
    }

    /// What is left of each group.
    #[cfg(test)]
    fn left(&self) -> &[(T, u64)] {
        &self.groups
    }
}

/// Deals `count` hosts that hold `contents`: so many of each pile, by index. What a pile does not have is left out.
pub(crate) fn deal<T: Copy>(
    piles: &mut [Pile<T>],
    contents: &[(usize, u32)],
    count: u32,
) -> Vec<Dealt<T>> {
    let mut dealt: Vec<Dealt<T>> = Vec::new();
    let mut hosts_left = count;
    while 0 < hosts_left {
        let mut parts = Vec::new();
        let mut in_row = hosts_left;
        for (pile, n) in contents {
            let Some(pile) = piles.get(*pile) else { continue };
            let (of_pile, times) = pile.peek(*n);
            parts.extend(of_pile);
            in_row = in_row.min(times);
        }
        for (pile, n) in contents {
            if let Some(pile) = piles.get_mut(*pile) {
                pile.take(u64::from(*n) * u64::from(in_row));
            }
        }
        hosts_left -= in_row;
        dealt.push(Dealt { count: in_row, contents: parts });
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_dealt_in_order_and_equal_hosts_stay_together() {
        let mut piles = [Pile::new(vec![('a', 5), ('b', 5)]), Pile::new(vec![('x', 5)])];

        let dealt = deal(&mut piles, &[(0, 2), (1, 1)], 5);

        let expected = [
            Dealt { count: 2, contents: vec![('a', 2), ('x', 1)] },
            Dealt { count: 1, contents: vec![('a', 1), ('b', 1), ('x', 1)] },
            Dealt { count: 2, contents: vec![('b', 2), ('x', 1)] },
        ];
        assert_eq!(dealt, expected);
        assert!(piles.iter().all(|p| p.left().iter().all(|(_, have)| *have == 0)));
    }
}
