//! Every limit of the edge, with its reason. Spans are of real time unless they say otherwise.

use std::time::Duration;

use jiff::SignedDuration;

/// SQS's longest poll (SQS API reference, `WaitTimeSeconds`): the fewest empty answers, which are paid too.
pub const RECEIVE_WAIT: Duration = Duration::from_secs(20);

/// Receivers of the job queue that poll at once. One takes about 200 messages a second; an idle one costs about 130,000
/// requests a month.
pub const JOB_RECEIVERS: usize = 4;

/// Receivers of the event queue that poll at once. A task is at least four events, and ECS starts 40 tasks a second.
pub const EVENT_RECEIVERS: usize = 4;

/// Batches of up to ten messages that may wait for the control loop. Beyond it nothing is received: a message is
/// better left in SQS, where its visibility does not run out.
pub const BACKLOG_BATCHES: usize = 16;

/// Messages that one step takes at most. A step is one transaction, so a burst shares its cost.
pub const STEP_MESSAGES_MAX: usize = 500;

/// The first pause after a failed receive, by the driver's clock; it doubles with each failure.
pub const RECEIVE_RETRY: SignedDuration = SignedDuration::from_secs(1);

/// The longest pause after a failed receive, by the driver's clock.
pub const RECEIVE_RETRY_MAX: SignedDuration = SignedDuration::from_mins(1);

/// The pause after an empty answer that came at once: a queue that does not wait must not be asked in a tight loop.
pub const EMPTY_RECEIVE_PAUSE: Duration = Duration::from_millis(100);

/// A call without an answer after this is unsettled. The adapters have shorter limits of their own; this one is for
/// what they did not think of.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(90);

/// Reading all prices takes hundreds of pages.
pub const CATALOG_TIMEOUT: Duration = Duration::from_mins(10);

/// CreateFleet calls at once: EC2 lets few through per second (EC2 API throttling, `CreateFleet`).
pub const LAUNCHES_AT_ONCE: usize = 4;

/// RunTask and StopTask calls at once. The engine keeps their rate; this bounds what a slow ECS can pile up.
pub const TASK_CALLS_AT_ONCE: usize = 32;

/// Calls at once that end or drain hosts.
pub const TERMINATIONS_AT_ONCE: usize = 4;

/// Looks at the fleet at once.
pub const OBSERVATIONS_AT_ONCE: usize = 1;

/// Reads of the reports of shared tasks at once. The engine keeps their rate.
pub const REPORTS_AT_ONCE: usize = 4;

/// Delete and dead-letter calls at once.
pub const DELETES_AT_ONCE: usize = 4;

/// SQS deletes ten messages a call (SQS API reference, `DeleteMessageBatch`).
pub const DELETE_BATCH: usize = 10;

/// With so many delete calls waiting, no more messages are taken: they would be worked on, and come again.
pub const DELETES_WAITING_MAX: usize = 256;

/// The engine is woken at least this often, so that a clock that was set or a machine that slept is noticed.
pub const WAKE_MAX: Duration = Duration::from_mins(1);

/// Two ticks are at least this far apart, whatever the engine asks for.
pub const TICK_MIN: Duration = Duration::from_millis(1);

/// A clock that is set back by less than this stands still until it has caught up.
pub const CLOCK_STEP_MAX: SignedDuration = SignedDuration::from_secs(10);

/// The first pause before a commit that failed is tried again; it doubles with each failure.
pub const COMMIT_RETRY: Duration = Duration::from_millis(100);

/// The longest pause before a commit that failed is tried again.
pub const COMMIT_RETRY_MAX: Duration = Duration::from_secs(10);

/// How long calls that are under way may take to end after a stop was asked for. Service managers kill after 30 s or
/// more; ECS too (`stopTimeout`).
pub const STOP_GRACE: Duration = Duration::from_secs(8);

/// How long SQLite waits for another process to release the file. Only a reader that repairs the log ever holds it.
pub const LEDGER_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A loop that has made no step for this long is not healthy: it is woken every [`WAKE_MAX`].
pub const HEALTHY_SILENCE_MAX: Duration = Duration::from_mins(5);

/// Prepared statements kept per connection: more than the ledger has.
pub const LEDGER_STATEMENTS: usize = 64;

/// The write-ahead log is cut back to this many bytes once its content is in the file.
pub const LEDGER_LOG_BYTES: i64 = 64 * 1024 * 1024;

/// So many KiB of a ledger that is written in one go are kept in memory: most of its indexes up to a million jobs (160 MB there).
pub const LEDGER_DRAFT_CACHE_KIB: i64 = 128 * 1024;

/// Tasks asked for in one call (ECS API reference, `DescribeTasks`: at most 100).
pub const OBSERVE_TASKS_BATCH: usize = 100;

/// Answers that one commit takes at most. Those that come together share the disk's time.
pub const COMMIT_ANSWERS_MAX: usize = 100;

/// Gauges are worked out at most this often: they count every open job.
pub const GAUGES_EVERY: Duration = Duration::from_secs(1);

/// Events that are passed on together. Each is built from its job's record.
pub const EVENTS_BATCH: usize = 100;

/// How often the outbox is looked into while it is empty; also the first pause after a failure, which doubles.
pub const EVENTS_POLL: Duration = Duration::from_millis(500);

/// The longest pause before events that were not taken are offered again.
pub const EVENTS_RETRY_MAX: Duration = Duration::from_mins(1);

/// How long whoever takes events may take for one batch.
pub const EVENTS_CALL_MAX: Duration = Duration::from_secs(30);

/// How long a dispatcher that is not heard of still leads: what a standby waits, by its own clock, before it takes over.
pub const LEASE: Duration = Duration::from_secs(8);

/// How often a leader says that it is there. Three in a row may be lost.
pub const LEASE_RENEW: Duration = Duration::from_secs(2);

/// How long a leader acts after the last time it is known to have said so. Shorter than [`LEASE`], so that clocks may run at different
/// speeds and a call that was just begun is over.
pub const LEASE_ACTS: Duration = Duration::from_secs(6);

/// How long one renewal may take before it is tried again.
pub const LEASE_CALL_MAX: Duration = Duration::from_millis(1_500);

/// How often a standby looks at the lease and takes in what is new. It is part of the time that a take-over takes.
pub const STANDBY_POLL: Duration = Duration::from_secs(1);

/// How soon a dispatcher that may not act at the moment looks again whether it may.
pub const HELD_BACK_POLL: Duration = Duration::from_millis(200);

/// Bytes of a journal's item. DynamoDB takes 400 KB, names of fields included (service quotas, "Item size").
pub const JOURNAL_PIECE_BYTES: usize = 320 * 1024;

/// Entries of a journal read at once; a page of DynamoDB is 1 MB in any case (API reference, `Query`).
pub const JOURNAL_PAGE: usize = 200;

/// An entry takes no more than this when it is unpacked: a million jobs are ten times less.
pub const ENTRY_BYTES_MAX: usize = 4 * 1024 * 1024 * 1024;

/// A journal this long is cut once there is a snapshot, unless the last one was longer still. Reading it takes seconds.
pub const JOURNAL_BYTES: u64 = 32 * 1024 * 1024;

/// How often it is looked whether the journal has become too long.
pub const SNAPSHOT_LOOK: Duration = Duration::from_mins(1);

/// The pause between two items of a snapshot: DynamoDB takes a megabyte a second in one partition (best practices, "burst capacity":
/// 1,000 write units), and nobody waits for a snapshot.
pub const SNAPSHOT_PACE: Duration = Duration::from_millis(330);
