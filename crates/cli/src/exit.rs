//! The exit codes: public API, never renumbered.

use std::process::ExitCode;

/// How a command ended. The numbers are what scripts see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// All is well.
    Ok,
    /// A failure of ours: a bug, or something nobody has sorted yet.
    Failure,
    /// The command line or the input of the command is wrong. The number is clap's.
    Usage,
    /// A job that was waited for has failed.
    JobsFailed,
    /// An invariant is broken (`simulate`), no plan covers all jobs (`plan`), or a plan or certificate is refused (`plan
    /// verify`).
    Infeasible,
    /// It did not end within the time it was given.
    NotConverged,
    /// The configuration is wrong.
    Config,
    /// AWS does not allow it, or there are no credentials.
    Denied,
    /// AWS cannot be reached, or gives no clear answer.
    Unreachable,
    /// The ledger is held by another dispatcher, is missing, or cannot be read.
    Ledger,
    /// Ctrl-C: 128 and the number of SIGINT, as shells show it.
    Interrupted,
    /// The exit code of the job itself (`--pass-exit-code`).
    Job(u8),
}

impl ExitStatus {
    /// Every status that is Spillway's own, in the order of its number.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::JobsFailed,
        Self::Infeasible,
        Self::NotConverged,
        Self::Config,
        Self::Denied,
        Self::Unreachable,
        Self::Ledger,
        Self::Interrupted,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::JobsFailed => 3,
            Self::Infeasible => 4,
            Self::NotConverged => 5,
            Self::Config => 6,
            Self::Denied => 7,
            Self::Unreachable => 8,
            Self::Ledger => 9,
            Self::Interrupted => 130,
            Self::Job(code) => code,
        }
    }

    /// What it means, for the help text.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "success",
            Self::Failure => "a failure of Spillway itself",
            Self::Usage => "the command line or its input is wrong",
            Self::JobsFailed => "a job that was waited for failed",
            Self::Infeasible => {
                "an invariant is broken, no plan covers all jobs, or a plan or certificate is refused"
            }
            Self::NotConverged => "not finished within the time given",
            Self::Config => "the configuration is wrong",
            Self::Denied => "AWS denied a call, or there are no credentials",
            Self::Unreachable => "AWS cannot be reached",
            Self::Ledger => "the ledger is locked, missing or unreadable",
            Self::Interrupted => "interrupted by Ctrl-C",
            Self::Job(_) => "the exit code of the job",
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_pinned() {
        let codes: Vec<u8> = ExitStatus::ALL.iter().map(|s| s.code()).collect();

        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]);
    }
}
