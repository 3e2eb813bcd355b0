//! The ledger: what any must do, that the SQLite one does it, and what becomes of its file.

mod contract;
mod file;
mod golden;
mod random;
mod sample;
