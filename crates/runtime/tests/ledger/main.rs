//! The ledger: what any must do, that the SQLite one does it, and what becomes of its file.
//!
//! The modules are marked as tests because clippy takes helpers for library code otherwise.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod file;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod random;
#[cfg(test)]
mod sample;
