//! What became of jobs that were waited for.

use serde::Serialize;
use spillway_core::JobId;
use spillway_core::job::JobStatus;

use super::job::tone;
use crate::output::{Field, Lines, Page, Rows, Tone, View};

/// What became of the jobs that were waited for.
#[derive(Debug, Serialize)]
pub struct WaitView {
    /// The jobs in the order asked for.
    pub jobs: Vec<WaitedJob>,
    /// Whether all ended within the time given.
    pub all_ended: bool,
    /// Whether all succeeded.
    pub all_succeeded: bool,
}

/// A job that was waited for.
#[derive(Debug, Serialize)]
pub struct WaitedJob {
    /// Its id.
    pub id: JobId,
    /// Its state; none if the ledger does not have it yet.
    pub status: Option<JobStatus>,
    /// Why, where there is a why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// The last attempt's exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What it cost.
    pub cost_usd: f64,
}

impl View for WaitView {
    fn page(&self, page: &mut Page) {
        let mut table = Rows::new(&["ID", "STATUS", "EXIT", "REASON"]);
        for job in &self.jobs {
            let status = job.status.map_or_else(|| "UNKNOWN".to_owned(), |s| s.to_string());
            table.row([
                job.id.to_string().into(),
                Field::toned(status, job.status.map_or(Tone::Warning, tone)),
                job.exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string()).into(),
                job.status_reason.clone().unwrap_or_default().into(),
            ]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.jobs.iter().try_for_each(|job| lines.item(job))
    }
}
