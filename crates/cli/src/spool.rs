//! A folder that stands in for SQS beside a simulated world: one file per message, written whole and taken once. For trying
//! Spillway out and for its tests; it is on one machine, and what was taken is gone with the dispatcher that took it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use spillway_core::CloudError;
use spillway_core::effect::CallResult;
use spillway_core::port::JobSender;
use uuid::Uuid;

use crate::config::Config;

/// What `job-queue-url` begins with where it names a folder.
const SCHEME: &str = "file:";

/// How often the folder is looked into: soon enough for whoever waits, and next to no work.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spool(PathBuf);

impl Spool {
    /// The one that the configuration names, if it names one.
    pub(crate) fn named_by(config: &Config) -> Option<Self> {
        let path = config.job_queue_url.as_deref()?.strip_prefix(SCHEME)?;
        // `file:///var/spool` is `/var/spool`, as in every URL.
        Some(Self(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder where there is none.
    pub(crate) fn make(&self) -> io::Result<()> {
        fs::create_dir_all(&self.0)
    }

    /// Gives every message that is there and every one that comes to `each`, the oldest first, and takes it away. Ends only
    /// where the folder can be read no more.
    pub(crate) async fn take(&self, mut each: impl FnMut(String)) -> io::Result<()> {
        loop {
            for file in self.files()? {
                let body = fs::read_to_string(&file)?;
                each(body);
                fs::remove_file(&file)?;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The messages that are there whole; their names begin with when they were sent.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "json") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// Under a name that nobody reads until it is whole.
    fn put(&self, body: &str) -> io::Result<String> {
        self.make()?;
        let id = Uuid::new_v4().to_string();
        let name = format!("{:015}-{id}", Timestamp::now().as_microsecond());
        let unfinished = self.0.join(format!("{name}.part"));
        fs::write(&unfinished, body)?;
        fs::rename(&unfinished, self.0.join(format!("{name}.json")))?;
        Ok(id)
    }
}

impl JobSender for Spool {
    async fn send(&self, body: &str) -> CallResult<String> {
        self.put(body).map_err(|error| CloudError::Unsettled {
            action: format!("write to {}", self.0.display()),
            detail: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(url: &str) -> Option<PathBuf> {
        let config = Config { job_queue_url: Some(url.to_owned()), ..Config::default() };
        Spool::named_by(&config).map(|spool| spool.0)
    }

    #[test]
    fn a_folder_is_named_by_its_scheme_and_a_queue_of_aws_is_none() {
        assert_eq!(named("file:jobs"), Some("jobs".into()));
        assert_eq!(named("file:///var/spool/jobs"), Some("/var/spool/jobs".into()));
        assert_eq!(named("https://sqs.us-east-1.amazonaws.com/123456789012/jobs"), None);
    }

    #[tokio::test]
    async fn messages_are_taken_once_and_in_order() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool(home.path().join("jobs"));
        for body in ["1", "2", "3"] {
            spool.send(body).await.unwrap();
        }
        fs::write(spool.path().join("half.part"), "never whole").unwrap();

        let mut taken = Vec::new();
        let taking = spool.take(|body| taken.push(body));
        let over = tokio::time::timeout(LOOK_EVERY / 2, taking).await;

        assert!(over.is_err(), "it goes on for ever");
        assert_eq!(taken, ["1", "2", "3"]);
        assert_eq!(spool.files().unwrap(), Vec::<PathBuf>::new());
    }
}
