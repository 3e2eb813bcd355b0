//! What a plan promises, over worlds drawn at random and worlds drawn to be awkward.

mod bounds;
mod extremes;
mod mutations;
mod properties;
mod world;
