//! The journal: who may write to it, what becomes of answers that are lost, and how a copy follows it.
//!
//! The modules are marked as tests because clippy takes helpers for library code otherwise.

#[cfg(test)]
mod copies;
#[cfg(test)]
mod leading;
#[cfg(test)]
mod mishaps;
#[cfg(test)]
mod rig;
#[cfg(test)]
#[path = "../ledger/sample.rs"]
#[expect(dead_code, reason = "the ledger's tests use all of it")]
mod sample;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod table;
