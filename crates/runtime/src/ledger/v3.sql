-- Ledger format 3. Never edited once released: a change is a new file and a new entry in schema.rs.
--
-- What is new in the JSON of a job is left out where a job does not say it, so jobs of format 2 stay as they are.

-- Revisions of job definitions; deregistered ones stay, so that their numbers are not given again.
CREATE TABLE definitions (
    name     TEXT NOT NULL,
    revision INTEGER NOT NULL,
    record   TEXT NOT NULL,         -- JSON, DefinitionRecord
    PRIMARY KEY (name, revision)
) STRICT, WITHOUT ROWID;
