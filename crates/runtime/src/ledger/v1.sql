-- Ledger format 1. Never edited once released: a change is a new file and a new entry in schema.rs.
-- Ids are the 16 bytes of their UUID; JSON is what serde writes for the types of spillway-core.

CREATE TABLE meta (
    only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
    ledger       BLOB    NOT NULL,  -- the ledger's own id
    n_launches   INTEGER NOT NULL,
    n_jobs       INTEGER NOT NULL,
    committed_at TEXT               -- when the dispatcher last wrote, RFC 3339
) STRICT;

-- What changes about a job, and what jobs are looked for by. Place in line is the key: jobs arrive in its order,
-- so rows are appended, and "newest first" is the table read backwards.
CREATE TABLE jobs (
    seq          INTEGER PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE,
    queue        TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    status       TEXT    NOT NULL,  -- the status inside of state
    body_hash    INTEGER NOT NULL,  -- its 64 bits, as a signed number
    created_at   TEXT    NOT NULL,  -- RFC 3339
    last_attempt INTEGER NOT NULL,  -- the number of the last attempt that ended, 0 for none
    state        TEXT    NOT NULL   -- JSON, JobState
) STRICT;
CREATE INDEX jobs_by_status ON jobs (status, seq);
CREATE INDEX jobs_by_queue ON jobs (queue, seq);
CREATE INDEX jobs_by_name ON jobs (name, seq);
-- All that is read of a job that is over when a dispatcher starts, in order of id.
CREATE INDEX jobs_over ON jobs (id, body_hash) WHERE status IN ('SUCCEEDED', 'FAILED');

-- What never changes about a job. Apart, so that moving a job does not write it again.
CREATE TABLE specs (
    seq      INTEGER PRIMARY KEY,
    spec     TEXT NOT NULL,         -- JSON, JobSpec
    warnings TEXT NOT NULL          -- JSON, a list of strings
) STRICT;

CREATE TABLE attempts (
    seq     INTEGER NOT NULL,       -- of the job
    ord     INTEGER NOT NULL,
    attempt TEXT    NOT NULL,       -- JSON, Attempt
    PRIMARY KEY (seq, ord)
) STRICT, WITHOUT ROWID;

CREATE TABLE hosts (
    id     BLOB PRIMARY KEY,
    status TEXT NOT NULL,           -- the status inside of host
    host   TEXT NOT NULL            -- JSON, Host
) STRICT;
CREATE INDEX hosts_open ON hosts (id) WHERE status <> 'gone';

CREATE TABLE launches (
    id         BLOB    PRIMARY KEY,
    status     TEXT    NOT NULL,    -- the status inside of launch
    decided_at INTEGER NOT NULL,    -- nanoseconds since 1970, for the order
    launch     TEXT    NOT NULL     -- JSON, Launch
) STRICT;
CREATE INDEX launches_open ON launches (id) WHERE status = 'open';
CREATE INDEX launches_by_time ON launches (decided_at DESC, id);

CREATE TABLE learned (
    instance_type TEXT PRIMARY KEY,
    registered    TEXT NOT NULL     -- JSON, Resources
) STRICT, WITHOUT ROWID;

CREATE TABLE cooling (
    instance_type TEXT NOT NULL,
    zone          TEXT NOT NULL,
    market        TEXT NOT NULL,
    cooldown      TEXT NOT NULL,    -- JSON, Cooldown
    PRIMARY KEY (instance_type, zone, market)
) STRICT, WITHOUT ROWID;
