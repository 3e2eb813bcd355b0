-- Ledger format 2. Never edited once released: a change is a new file and a new entry in schema.rs.

-- What a host is kept for is now said by class of jobs. The next plan says it anew, so the old words are dropped.
UPDATE hosts SET host = json_remove(host, '$.reserved') WHERE json_type(host, '$.reserved') IS NOT NULL;

-- What the future is estimated from.
CREATE TABLE kinds (
    kind    TEXT PRIMARY KEY,       -- 16 hex digits
    history TEXT NOT NULL           -- JSON, KindHistory
) STRICT, WITHOUT ROWID;

CREATE TABLE spot (
    instance_type TEXT NOT NULL,
    zone          TEXT NOT NULL,
    evidence      TEXT NOT NULL,    -- JSON, SpotEvidence
    PRIMARY KEY (instance_type, zone)
) STRICT, WITHOUT ROWID;

ALTER TABLE meta ADD COLUMN boots TEXT; -- JSON, Durations; none yet
