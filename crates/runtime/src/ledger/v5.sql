-- Ledger format 5. Never edited once released: a change is a new file and a new entry in schema.rs.

-- What jobs are looked for by, beside what is there already. Times are whole seconds since 1970.
ALTER TABLE jobs ADD COLUMN definition TEXT;           -- the name of its job definition
ALTER TABLE jobs ADD COLUMN revision INTEGER;          -- and its revision
ALTER TABLE jobs ADD COLUMN share TEXT NOT NULL DEFAULT 'default';
ALTER TABLE jobs ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN ended INTEGER;
ALTER TABLE jobs ADD COLUMN reason TEXT;               -- why it stands where it stands
UPDATE jobs SET
    created = unixepoch(substr(created_at, 1, 19)),
    ended = unixepoch(substr(json_extract(state, '$.at'), 1, 19)),
    (definition, revision) = (
        SELECT json_extract(spec, '$.definition'), json_extract(spec, '$.definition_revision')
        FROM specs s WHERE s.seq = jobs.seq
    ),
    reason = nullif(coalesce(json_extract(state, '$.reason'), (
        SELECT CASE
            WHEN json_extract(attempt, '$.failure') IN ('oom', 'pull', 'exit')
                THEN coalesce(json_extract(attempt, '$.container_reason'), json_extract(attempt, '$.reason'))
            ELSE json_extract(attempt, '$.reason')
        END
        FROM attempts a WHERE a.seq = jobs.seq ORDER BY ord DESC LIMIT 1
    )), '');
-- A list is this index read backwards: whatever is asked for, no other page of the file is touched until a job is found.
CREATE INDEX jobs_listed ON jobs (seq, status, queue, share, name, definition, revision, created, ended, reason);
DROP INDEX jobs_by_queue;
DROP INDEX jobs_by_name;

-- A job's tags, in the order of the list too.
CREATE TABLE job_tags (
    key   TEXT    NOT NULL,
    seq   INTEGER NOT NULL,           -- of the job
    value TEXT    NOT NULL,
    PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO job_tags (key, seq, value)
    SELECT t.key, s.seq, t.value FROM specs s, json_each(s.spec, '$.tags') t ORDER BY t.key, s.seq;

-- The same of children; all else is their array's.
ALTER TABLE children ADD COLUMN ended INTEGER;
ALTER TABLE children ADD COLUMN reason TEXT;
UPDATE children SET
    ended = unixepoch(substr(json_extract(state, '$.at'), 1, 19)),
    reason = nullif(coalesce(json_extract(state, '$.reason'), (
        SELECT CASE
            WHEN json_extract(attempt, '$.failure') IN ('oom', 'pull', 'exit')
                THEN coalesce(json_extract(attempt, '$.container_reason'), json_extract(attempt, '$.reason'))
            ELSE json_extract(attempt, '$.reason')
        END
        FROM attempts a WHERE a.seq = children.seq + 1 + children.ord ORDER BY a.ord DESC LIMIT 1
    )), '');
CREATE INDEX children_listed ON children (seq, ord, status, ended, reason);
-- What ended last, whatever its place in line.
CREATE INDEX jobs_by_end ON jobs (ended) WHERE ended IS NOT NULL;
CREATE INDEX children_by_end ON children (ended) WHERE ended IS NOT NULL;

-- Schedules, those that were deleted too, so that a message that comes again does not bring one back.
CREATE TABLE schedules (
    name   TEXT PRIMARY KEY,
    record TEXT NOT NULL              -- JSON, ScheduleRecord
) STRICT, WITHOUT ROWID;

-- News of jobs that has not been passed on.
CREATE TABLE outbox (
    version INTEGER PRIMARY KEY,      -- the number of the event
    job     TEXT NOT NULL,
    at      TEXT NOT NULL,            -- when it was committed, RFC 3339
    state   TEXT NOT NULL             -- JSON, JobState
) STRICT;
ALTER TABLE meta ADD COLUMN n_events INTEGER NOT NULL DEFAULT 0;

-- Queues and pools that have been paused or resumed, each with the newest order.
CREATE TABLE gates (
    kind TEXT NOT NULL,               -- queue or pool
    name TEXT NOT NULL,
    gate TEXT NOT NULL,               -- JSON, Gate
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- What is left alone after failures: images, calls, hosts, spending. One that is closed has no row.
CREATE TABLE breakers (
    kind    TEXT NOT NULL,            -- image, call, host, quota or spend
    subject TEXT NOT NULL,            -- which of those
    breaker TEXT NOT NULL,            -- JSON, Breaker
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

-- What is held until somebody approves it, and what is approved: one row, or none if there is neither.
CREATE TABLE bursts (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    burst TEXT NOT NULL               -- JSON, Burst
) STRICT;

-- What the shares of queues have used, as far as it still counts. What live attempts hold is not in here: it follows from them.
CREATE TABLE shares (
    queue TEXT NOT NULL,
    share TEXT NOT NULL,
    used  TEXT NOT NULL,              -- JSON, ShareUse
    PRIMARY KEY (queue, share)
) STRICT, WITHOUT ROWID;

-- What has come up in each of the last days (UTC), of hosts that are gone and attempts that have ended. What all hosts cost has no queue
-- and no share; the others are what attempts of a share carry of it.
CREATE TABLE spending (
    day   TEXT    NOT NULL,           -- 2026-01-31
    queue TEXT    NOT NULL,
    share TEXT    NOT NULL,
    micro INTEGER NOT NULL,           -- millionths of a dollar
    PRIMARY KEY (day, queue, share)
) STRICT, WITHOUT ROWID;

-- Multi-node jobs. The job is its main node; its other nodes are rows of children by their index, from the first time they are
-- given to hosts.
CREATE TABLE gangs (
    seq  INTEGER PRIMARY KEY,         -- of the job
    size INTEGER NOT NULL             -- how many nodes, the main one included
) STRICT;

-- Of a copy of a ledger that is kept in a journal elsewhere: the last entry of the journal that is in here. A ledger of its own
-- has no row.
CREATE TABLE copied (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    seq      INTEGER NOT NULL,
    chain    TEXT    NOT NULL         -- what its number and all entries up to it come to, as hexadecimal digits
) STRICT;

-- What has happened, one row each, behind each other and never changed. What a job's own record says of an attempt is not said again.
CREATE TABLE audit (
    n      INTEGER PRIMARY KEY,       -- from 1, without gaps
    at     INTEGER NOT NULL,          -- of the commit, in milliseconds since 1970; never less than the one before
    kind   TEXT    NOT NULL,
    job    INTEGER,                   -- the job's or array's place in line, if it is about one
    part   INTEGER,                   -- the index of its child; of a node of it -1 less the node's index
    detail TEXT                       -- JSON, AuditDetail; none where there is nothing more to say
) STRICT;
CREATE INDEX audit_by_job ON audit (job, n) WHERE job IS NOT NULL;
