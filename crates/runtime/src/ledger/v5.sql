-- Ledger format 5. Never edited once released: a change is a new file and a new entry in schema.rs.

-- Queues and pools that have been paused or resumed, each with the newest order.
CREATE TABLE gates (
    kind TEXT NOT NULL,               -- queue or pool
    name TEXT NOT NULL,
    gate TEXT NOT NULL,               -- JSON, Gate
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- What the shares of queues have used, as far as it still counts. What live attempts hold is not in here: it follows from them.
CREATE TABLE shares (
    queue TEXT NOT NULL,
    share TEXT NOT NULL,
    used  TEXT NOT NULL,              -- JSON, ShareUse
    PRIMARY KEY (queue, share)
) STRICT, WITHOUT ROWID;

-- Multi-node jobs. The job is its main node; its other nodes are rows of children by their index, from the first time they are
-- given to hosts.
CREATE TABLE gangs (
    seq  INTEGER PRIMARY KEY,         -- of the job
    size INTEGER NOT NULL             -- how many nodes, the main one included
) STRICT;
