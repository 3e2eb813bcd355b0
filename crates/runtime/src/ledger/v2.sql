-- Ledger format 2. Never edited once released: a change is a new file and a new entry in schema.rs.

-- What a host is kept for is now said by class of jobs. The next plan says it anew, so the old words are dropped.
UPDATE hosts SET host = json_remove(host, '$.reserved') WHERE json_type(host, '$.reserved') IS NOT NULL;
