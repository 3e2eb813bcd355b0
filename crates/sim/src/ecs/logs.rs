//! The logs of tasks that children share, and what they tell of each child.

use jiff::Timestamp;
use spillway_core::{AttemptOrd, JobId, TaskArn};

use super::{Ecs, Exit, number_in};
use crate::shared::SharedLog;

impl Ecs {
    /// How an attempt of a child ended in a task that it shared.
    pub fn exit_of_child(&self, arn: &TaskArn, child: JobId, attempt: AttemptOrd) -> Option<Exit> {
        let log = number_in(arn).and_then(|number| self.shared_logs.get(&number));
        match log {
            Some(log) => log.exit(child, attempt),
            None => self.exit(arn),
        }
    }

    /// Whether somebody has read in a log that this child ended well.
    pub fn is_told(&self, child: JobId) -> bool {
        self.told.contains(&child)
    }

    /// The log of a task that children share.
    pub fn shared_log(&self, arn: &TaskArn) -> Option<&SharedLog> {
        self.shared_logs.get(&number_in(arn)?).map(AsRef::as_ref)
    }

    pub(crate) fn shared_log_mut(&mut self, arn: &TaskArn) -> Option<&mut SharedLog> {
        self.shared_logs.get_mut(&number_in(arn)?).map(AsMut::as_mut)
    }

    /// The lines that a log of a shared task shows now.
    pub(crate) fn read_log(&mut self, now: Timestamp, arn: &TaskArn) -> Vec<String> {
        let log = number_in(arn).and_then(|number| self.shared_logs.get(&number));
        let Some(log) = log else { return Vec::new() };
        let is_well = |(child, attempt): &(JobId, AttemptOrd)| {
            log.exit(*child, *attempt).is_some_and(|exit| exit.code == Some(0))
        };
        self.told.extend(log.told(now).filter(is_well).map(|(child, _)| child));
        log.lines(now)
    }
}
