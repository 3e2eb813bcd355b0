//! Who goes first.
