//! The ledger: what any must do, that those in memory, in a file and in a journal do it, and what becomes of the file.
//!
//! The modules are marked as tests because clippy takes helpers for library code otherwise.

#[cfg(test)]
mod archive;
#[cfg(test)]
mod audit;
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
#[cfg(test)]
mod subjects;
#[cfg(test)]
#[path = "../journal/table.rs"]
#[expect(dead_code, reason = "nothing goes wrong with the contract's table")]
mod table;

#[cfg(test)]
mod kinds {
    use crate::contract::contract_over;
    use crate::subjects::{Copy, InFile, InJournal, InMemory};
    use crate::table::MemoryTable;

    contract_over!(in_memory, async { Some(super::InMemory::new()) });
    contract_over!(in_file, async { Some(super::InFile::new()) });
    contract_over!(in_journal, async {
        Some(super::InJournal::new(super::MemoryTable::default(), super::Copy::Kept).await)
    });
    contract_over!(in_journal_of_which_every_copy_is_made_again, async {
        Some(super::InJournal::new(super::MemoryTable::default(), super::Copy::MadeAgain).await)
    });
}
