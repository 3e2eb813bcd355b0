-- Ledger format 5. Never edited once released: a change is a new file and a new entry in schema.rs.

-- Multi-node jobs. The job is its main node; its other nodes are rows of children by their index, from the first time they are
-- given to hosts.
CREATE TABLE gangs (
    seq  INTEGER PRIMARY KEY,         -- of the job
    size INTEGER NOT NULL             -- how many nodes, the main one included
) STRICT;
