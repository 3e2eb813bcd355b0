-- Ledger format 4. Never edited once released: a change is a new file and a new entry in schema.rs.

-- Which children an array job has. An array is a row of jobs like any other.
CREATE TABLE arrays (
    seq         INTEGER PRIMARY KEY,  -- of the job
    first_index INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    size        INTEGER NOT NULL
) STRICT;

-- Children that have been given to a host; what they are is said by their array. Their attempts are under the number that
-- they have in line: the array's, one, and their own.
CREATE TABLE children (
    seq          INTEGER NOT NULL,    -- of the array
    ord          INTEGER NOT NULL,    -- from 0
    status       TEXT    NOT NULL,    -- the status inside of state
    last_attempt INTEGER NOT NULL,    -- the number of the last attempt that ended, 0 for none
    state        TEXT    NOT NULL,    -- JSON, JobState
    PRIMARY KEY (seq, ord)
) STRICT, WITHOUT ROWID;
CREATE INDEX children_by_status ON children (seq, status, ord);

-- Children that ended without ever having been given to a host. All others of an array wait, or have ended with it.
CREATE TABLE child_runs (
    seq   INTEGER NOT NULL,           -- of the array
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    state TEXT    NOT NULL,           -- JSON, JobState
    PRIMARY KEY (seq, first)
) STRICT, WITHOUT ROWID;

-- How a job ended is read too when a dispatcher starts: others may wait for it.
DROP INDEX jobs_over;
CREATE INDEX jobs_over ON jobs (id, body_hash, status) WHERE status IN ('SUCCEEDED', 'FAILED');
