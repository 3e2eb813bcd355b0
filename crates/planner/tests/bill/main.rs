//! What a bill plan promises, over problems drawn at random, beside a brute force, and with its promises broken.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its problem has failed")]

mod mutations;
mod optimum;
mod properties;
mod verdict;
mod world;
