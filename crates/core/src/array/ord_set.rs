//! A set of small numbers in one bit each: a million children of an array are 125 KB.

use std::fmt;

/// The bits of a word.
const BITS: u32 = u64::BITS;

/// A set of ordinal numbers. Equal sets are equal whatever became of them before.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OrdSet {
    /// Bit `n % 64` of word `n / 64`; no empty word at the end.
    words: Vec<u64>,
    len: u32,
    /// The first word that is not empty, 0 if there is none: children are taken from the front, and a million empty bits are not to
    /// be looked through for each.
    start: usize,
}

/// Its runs: a list of a million numbers would be no help to anybody.
impl fmt::Debug for OrdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.runs().map(|(first, last)| first..=last)).finish()
    }
}

impl OrdSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { words: Vec::new(), len: 0, start: 0 }
    }

    /// All numbers below `n`.
    pub fn below(n: u32) -> Self {
        let mut set = Self::new();
        if let Some(last) = n.checked_sub(1) {
            set.insert_run(0, last);
        }
        set
    }

    /// How many.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `n` is one of them.
    pub fn contains(&self, n: u32) -> bool {
        let (word, bit) = place(n);
        self.words.get(word).is_some_and(|w| w & bit != 0)
    }

    /// Adds `n`; false if it was there.
    pub fn insert(&mut self, n: u32) -> bool {
        let (word, bit) = place(n);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let Some(w) = self.words.get_mut(word) else { return false };
        let is_new = *w & bit == 0;
        *w |= bit;
        self.start = if self.len == 0 { word } else { self.start.min(word) };
        self.len += u32::from(is_new);
        is_new
    }

    /// Takes `n` out; false if it was not there.
    pub fn remove(&mut self, n: u32) -> bool {
        let (word, bit) = place(n);
        let Some(w) = self.words.get_mut(word) else { return false };
        let was_there = *w & bit != 0;
        *w &= !bit;
        self.len -= u32::from(was_there);
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
        if self.len == 0 {
            self.start = 0;
        }
        while self.words.get(self.start) == Some(&0) {
            self.start += 1;
        }
        was_there
    }

    /// Adds all from `first` to `last`.
    pub fn insert_run(&mut self, first: u32, last: u32) {
        let mut n = u64::from(first);
        while n <= u64::from(last) {
            let is_aligned = n.is_multiple_of(u64::from(BITS));
            let is_word = is_aligned && n + u64::from(BITS) <= u64::from(last) + 1;
            let Ok(at) = u32::try_from(n) else { return };
            if is_word {
                let (word, _) = place(at);
                if self.words.len() <= word {
                    self.words.resize(word + 1, 0);
                }
                if let Some(w) = self.words.get_mut(word) {
                    self.start = if self.len == 0 { word } else { self.start.min(word) };
                    self.len += w.count_zeros();
                    *w = u64::MAX;
                }
                n += u64::from(BITS);
            } else {
                self.insert(at);
                n += 1;
            }
        }
    }

    /// All of them, smallest first.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let words = (0_u32..).zip(&self.words).skip(self.start).filter(|(_, word)| **word != 0);
        words.flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                let n = (left != 0).then(|| at * BITS + bit)?;
                left &= left - 1;
                Some(n)
            })
        })
    }

    /// All of them as runs of consecutive numbers, from the first to the last of each.
    pub fn runs(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut numbers = self.iter().peekable();
        std::iter::from_fn(move || {
            let first = numbers.next()?;
            let mut last = first;
            while let Some(next) = numbers.next_if(|n| *n == last + 1) {
                last = next;
            }
            Some((first, last))
        })
    }
}

impl FromIterator<u32> for OrdSet {
    fn from_iter<T: IntoIterator<Item = u32>>(numbers: T) -> Self {
        let mut set = Self::new();
        for n in numbers {
            set.insert(n);
        }
        set
    }
}

/// The word of a number, and its bit in it.
fn place(n: u32) -> (usize, u64) {
    (usize::try_from(n / BITS).unwrap_or(usize::MAX), 1 << (n % BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_join_what_is_consecutive() {
        let set: OrdSet = [0, 1, 2, 63, 64, 65, 200].into_iter().collect();

        assert_eq!(set.runs().collect::<Vec<_>>(), [(0, 2), (63, 65), (200, 200)]);
        assert_eq!(OrdSet::below(1_000_000).runs().collect::<Vec<_>>(), [(0, 999_999)]);
        assert_eq!(OrdSet::below(0), OrdSet::new());
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers(ops in proptest::collection::vec((0..4_u8, 0..300_u32, 0..150_u32), 0..60)) {
            let mut set = OrdSet::new();
            let mut model: BTreeSet<u32> = BTreeSet::new();
            for (op, n, more) in ops {
                match op {
                    0 => prop_assert_eq!(set.insert(n), model.insert(n)),
                    1 => prop_assert_eq!(set.remove(n), model.remove(&n)),
                    _ => {
                        set.insert_run(n, n + more);
                        model.extend(n..=n + more);
                    }
                }
                prop_assert_eq!(usize::try_from(set.len()).unwrap(), model.len());
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(&set, &model.iter().copied().collect::<OrdSet>());
            prop_assert!((0..500).all(|n| set.contains(n) == model.contains(&n)));
        }
    }
}
