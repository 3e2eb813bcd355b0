//! Halves of work that do not look at each other, side by side. How many threads there are never changes an answer: the
//! halves, and how much work each may take, are the same.

use std::panic::resume_unwind;
use std::thread::{Builder, scope};

/// How many threads to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One half after the other.
    One,
    /// Both at a time.
    Two,
}

impl Threads {
    /// Does both, and gives what came of each.
    pub(crate) fn both<A: Send, B>(
        self,
        first: impl Fn() -> A + Sync,
        second: impl FnOnce() -> B,
    ) -> (A, B) {
        match self {
            Self::One => (first(), second()),
            Self::Two => side_by_side(&first, second),
        }
    }
}

fn side_by_side<A: Send, B>(first: &(impl Fn() -> A + Sync), second: impl FnOnce() -> B) -> (A, B) {
    scope(|threads| {
        let thread = Builder::new().name("spillway-plan".to_owned()).spawn_scoped(threads, first);
        let of_second = second();
        let of_first = match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(of_first)) => of_first,
            Ok(Err(panic)) => resume_unwind(panic),
            // The system has no thread to give.
            Err(_) => first(),
        };
        (of_first, of_second)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_done_whatever_the_number_of_threads() {
        for threads in [Threads::One, Threads::Two] {
            assert_eq!(threads.both(|| 1 + 1, || "two"), (2, "two"));
        }
    }

    #[test]
    #[should_panic(expected = "the first half fails")]
    fn a_half_that_fails_is_not_passed_over() {
        Threads::Two.both(|| panic!("the first half fails"), || ());
    }
}
