//! The known name that a misspelt one was meant to be.

use super::Key;

/// A misspelt name is taken for a known one if at most this many letters differ.
const EDITS_MAX: usize = 4;

/// The known key most like an unknown one: its whole name, or the same last part in another table.
pub(super) fn nearest(key: &str, keys: &[Key]) -> Option<String> {
    let names = || keys.iter().map(|key| key.name.as_str());
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let elsewhere = names().find(|name| last(name) == last(key)).map(str::to_owned);
    nearest_of(key, names()).or(elsewhere)
}

pub(super) fn nearest_of<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let scored = known.map(|name| (edits(wanted, name), name));
    let (n_edits, name) = scored.min()?;
    let is_like = n_edits <= EDITS_MAX && 2 * n_edits < wanted.chars().count();
    is_like.then(|| name.to_owned())
}

/// The number of letters to add, drop or change to make `b` from `a` (Levenshtein's distance).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, to) in row.iter_mut().skip(1).zip(&b) {
            let changed = diagonal + usize::from(from != *to);
            diagonal = *slot;
            left = changed.min(*slot + 1).min(left + 1);
            *slot = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("same", "same"), 0);
    }
}
