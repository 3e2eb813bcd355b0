PRAGMA application_id = 1397771351;
PRAGMA user_version = 5;
CREATE TABLE arrays (
    seq         INTEGER PRIMARY KEY,  -- of the job
    first_index INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    size        INTEGER NOT NULL
) STRICT;
CREATE TABLE attempts (
    seq     INTEGER NOT NULL,       -- of the job
    ord     INTEGER NOT NULL,
    attempt TEXT    NOT NULL,       -- JSON, Attempt
    PRIMARY KEY (seq, ord)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    n      INTEGER PRIMARY KEY,       -- from 1, without gaps
    at     INTEGER NOT NULL,          -- of the commit, in milliseconds since 1970; never less than the one before
    kind   TEXT    NOT NULL,
    job    INTEGER,                   -- the job's or array's place in line, if it is about one
    part   INTEGER,                   -- the index of its child; of a node of it -1 less the node's index
    detail TEXT                       -- JSON, AuditDetail; none where there is nothing more to say
) STRICT;
CREATE TABLE breakers (
    kind    TEXT NOT NULL,            -- image, call, host, quota or spend
    subject TEXT NOT NULL,            -- which of those
    breaker TEXT NOT NULL,            -- JSON, Breaker
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE bursts (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    burst TEXT NOT NULL               -- JSON, Burst
) STRICT;
CREATE TABLE child_runs (
    seq   INTEGER NOT NULL,           -- of the array
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    state TEXT    NOT NULL,           -- JSON, JobState
    PRIMARY KEY (seq, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE children (
    seq          INTEGER NOT NULL,    -- of the array
    ord          INTEGER NOT NULL,    -- from 0
    status       TEXT    NOT NULL,    -- the status inside of state
    last_attempt INTEGER NOT NULL,    -- the number of the last attempt that ended, 0 for none
    state        TEXT    NOT NULL, ended INTEGER, reason TEXT,    -- JSON, JobState
    PRIMARY KEY (seq, ord)
) STRICT, WITHOUT ROWID;
CREATE TABLE cooling (
    instance_type TEXT NOT NULL,
    zone          TEXT NOT NULL,
    market        TEXT NOT NULL,
    cooldown      TEXT NOT NULL,    -- JSON, Cooldown
    PRIMARY KEY (instance_type, zone, market)
) STRICT, WITHOUT ROWID;
CREATE TABLE copied (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    seq      INTEGER NOT NULL,
    chain    TEXT    NOT NULL         -- what its number and all entries up to it come to, as hexadecimal digits
) STRICT;
CREATE TABLE definitions (
    name     TEXT NOT NULL,
    revision INTEGER NOT NULL,
    record   TEXT NOT NULL,         -- JSON, DefinitionRecord
    PRIMARY KEY (name, revision)
) STRICT, WITHOUT ROWID;
CREATE TABLE gangs (
    seq  INTEGER PRIMARY KEY,         -- of the job
    size INTEGER NOT NULL             -- how many nodes, the main one included
) STRICT;
CREATE TABLE gates (
    kind TEXT NOT NULL,               -- queue or pool
    name TEXT NOT NULL,
    gate TEXT NOT NULL,               -- JSON, Gate
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE hosts (
    id     BLOB PRIMARY KEY,
    status TEXT NOT NULL,           -- the status inside of host
    host   TEXT NOT NULL            -- JSON, Host
) STRICT;
CREATE TABLE job_tags (
    key   TEXT    NOT NULL,
    seq   INTEGER NOT NULL,           -- of the job
    value TEXT    NOT NULL,
    PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;
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
, definition TEXT, revision INTEGER, share TEXT NOT NULL DEFAULT 'default', created INTEGER NOT NULL DEFAULT 0, ended INTEGER, reason TEXT) STRICT;
CREATE TABLE kinds (
    kind    TEXT PRIMARY KEY,       -- 16 hex digits
    history TEXT NOT NULL           -- JSON, KindHistory
) STRICT, WITHOUT ROWID;
CREATE TABLE launches (
    id         BLOB    PRIMARY KEY,
    status     TEXT    NOT NULL,    -- the status inside of launch
    decided_at INTEGER NOT NULL,    -- nanoseconds since 1970, for the order
    launch     TEXT    NOT NULL     -- JSON, Launch
) STRICT;
CREATE TABLE learned (
    instance_type TEXT PRIMARY KEY,
    registered    TEXT NOT NULL     -- JSON, Resources
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (
    only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
    ledger       BLOB    NOT NULL,  -- the ledger's own id
    n_launches   INTEGER NOT NULL,
    n_jobs       INTEGER NOT NULL,
    committed_at TEXT               -- when the dispatcher last wrote, RFC 3339
, boots TEXT, n_events INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE outbox (
    version INTEGER PRIMARY KEY,      -- the number of the event
    job     TEXT NOT NULL,
    at      TEXT NOT NULL,            -- when it was committed, RFC 3339
    state   TEXT NOT NULL             -- JSON, JobState
) STRICT;
CREATE TABLE schedules (
    name   TEXT PRIMARY KEY,
    record TEXT NOT NULL              -- JSON, ScheduleRecord
) STRICT, WITHOUT ROWID;
CREATE TABLE shares (
    queue TEXT NOT NULL,
    share TEXT NOT NULL,
    used  TEXT NOT NULL,              -- JSON, ShareUse
    PRIMARY KEY (queue, share)
) STRICT, WITHOUT ROWID;
CREATE TABLE specs (
    seq      INTEGER PRIMARY KEY,
    spec     TEXT NOT NULL,         -- JSON, JobSpec
    warnings TEXT NOT NULL          -- JSON, a list of strings
) STRICT;
CREATE TABLE spending (
    day   TEXT    NOT NULL,           -- 2026-01-31
    queue TEXT    NOT NULL,
    share TEXT    NOT NULL,
    micro INTEGER NOT NULL,           -- millionths of a dollar
    PRIMARY KEY (day, queue, share)
) STRICT, WITHOUT ROWID;
CREATE TABLE spot (
    instance_type TEXT NOT NULL,
    zone          TEXT NOT NULL,
    evidence      TEXT NOT NULL,    -- JSON, SpotEvidence
    PRIMARY KEY (instance_type, zone)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_job ON audit (job, n) WHERE job IS NOT NULL;
CREATE INDEX children_by_end ON children (ended) WHERE ended IS NOT NULL;
CREATE INDEX children_by_status ON children (seq, status, ord);
CREATE INDEX children_listed ON children (seq, ord, status, ended, reason);
CREATE INDEX hosts_open ON hosts (id) WHERE status <> 'gone';
CREATE INDEX jobs_by_end ON jobs (ended) WHERE ended IS NOT NULL;
CREATE INDEX jobs_by_status ON jobs (status, seq);
CREATE INDEX jobs_listed ON jobs (seq, status, queue, share, name, definition, revision, created, ended, reason);
CREATE INDEX jobs_over ON jobs (id, body_hash, status) WHERE status IN ('SUCCEEDED', 'FAILED');
CREATE INDEX launches_by_time ON launches (decided_at DESC, id);
CREATE INDEX launches_open ON launches (id) WHERE status = 'open';
INSERT INTO arrays VALUES (4, 10, 2, 5);
INSERT INTO attempts VALUES (1, 1, '{"ord":1,"host":"00000000-0000-0000-0000-000000000001","instance":"i-0123456789abcdef0","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"task":"arn:aws:ecs:us-east-1:1:task/c/6","placed_at":"2026-01-01T12:00:20.123456789Z","started_at":"2026-01-01T12:00:30.123456789Z","stopped_at":"2026-01-01T12:00:50.123456789Z","exit_code":3,"reason":"Essential container in task exited","failure":"exit","cost":1234,"expected":{"secs":600,"high_secs":900,"from":{"kind":"told-corrected","n":9}}}');
INSERT INTO attempts VALUES (2, 1, '{"ord":1,"host":"00000000-0000-0000-0000-000000000001","instance":"i-0123456789abcdef0","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"task":"arn:aws:ecs:us-east-1:1:task/c/6","placed_at":"2026-01-01T12:00:20.123456789Z","started_at":"2026-01-01T12:00:30.123456789Z","stopped_at":"2026-01-01T12:00:50.123456789Z","exit_code":3,"reason":"Essential container in task exited","failure":"exit","cost":1234,"expected":{"secs":600,"high_secs":900,"from":{"kind":"told-corrected","n":9}}}');
INSERT INTO attempts VALUES (6, 1, '{"ord":1,"host":"00000000-0000-0000-0000-000000000001","instance":"i-0123456789abcdef0","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"task":"arn:aws:ecs:us-east-1:1:task/c/6","placed_at":"2026-01-01T12:00:20.123456789Z","started_at":"2026-01-01T12:00:30.123456789Z","stopped_at":"2026-01-01T12:00:50.123456789Z","exit_code":3,"reason":"Essential container in task exited","failure":"exit","cost":1234,"expected":{"secs":600,"high_secs":900,"from":{"kind":"told-corrected","n":9}}}');
INSERT INTO attempts VALUES (13, 1, '{"ord":1,"host":"00000000-0000-0000-0000-000000000001","instance":"i-0123456789abcdef0","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"task":"arn:aws:ecs:us-east-1:1:task/c/6","placed_at":"2026-01-01T12:00:20.123456789Z","started_at":"2026-01-01T12:00:30.123456789Z","stopped_at":"2026-01-01T12:00:50.123456789Z","exit_code":3,"reason":"Essential container in task exited","failure":"exit","cost":1234,"expected":{"secs":600,"high_secs":900,"from":{"kind":"told-corrected","n":9}}}');
INSERT INTO audit VALUES (1, 1767268800123, 'job-accepted', 0, NULL, '{"target":"schedule nightly","sender":"AROAEXAMPLE:s"}');
INSERT INTO audit VALUES (2, 1767268800123, 'job-accepted', 1, NULL, NULL);
INSERT INTO audit VALUES (3, 1767268800123, 'job-accepted', 2, NULL, NULL);
INSERT INTO audit VALUES (4, 1767268800123, 'job-refused', 3, NULL, NULL);
INSERT INTO audit VALUES (5, 1767268800123, 'attempt-ended', 1, NULL, '{"attempt":1}');
INSERT INTO audit VALUES (6, 1767268800123, 'attempt-running', 1, NULL, '{"attempt":2}');
INSERT INTO audit VALUES (7, 1767268800123, 'attempt-ended', 2, NULL, '{"attempt":1}');
INSERT INTO audit VALUES (8, 1767268800123, 'job-ended', 2, NULL, '{"status":"SUCCEEDED"}');
INSERT INTO audit VALUES (9, 1767268800123, 'host-registered', NULL, NULL, '{"host":"00000000-0000-0000-0000-000000000001","instance":"i-0123456789abcdef0","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"price":30000}');
INSERT INTO audit VALUES (10, 1767268800123, 'host-gone', NULL, NULL, '{"host":"00000000-0000-0000-0000-000000000003","instance":"i-0123456789abcdef0","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"price":30000,"cost":500,"reason":"idle"}');
INSERT INTO audit VALUES (11, 1767268800123, 'launch-decided', NULL, NULL, '{"launch":"00000000-0000-0000-0000-000000000001","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"price":30000,"choices":[{"pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"price":30000}],"count":1}');
INSERT INTO audit VALUES (12, 1767268800123, 'launch-answered', NULL, NULL, '{"launch":"00000000-0000-0000-0000-000000000001","count":1,"reason":"InsufficientInstanceCapacity in c5.large/us-east-1a/spot","request_id":"59dbff89-35bd-4eac-99ed-be587EXAMPLE"}');
INSERT INTO audit VALUES (13, 1767268800123, 'launch-decided', NULL, NULL, '{"launch":"00000000-0000-0000-0000-000000000002","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"price":30000,"choices":[{"pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"price":30000}],"count":1}');
INSERT INTO audit VALUES (14, 1767268800123, 'job-accepted', 4, NULL, NULL);
INSERT INTO audit VALUES (15, 1767268800123, 'attempt-running', 4, 10, '{"attempt":1}');
INSERT INTO audit VALUES (16, 1767268800123, 'attempt-running', 4, 12, '{"attempt":1}');
INSERT INTO audit VALUES (17, 1767268800123, 'attempt-ended', 4, 12, '{"attempt":1}');
INSERT INTO audit VALUES (18, 1767268800123, 'job-ended', 4, 12, '{"status":"SUCCEEDED"}');
INSERT INTO audit VALUES (19, 1767268800123, 'job-children-ended', 4, NULL, '{"status":"FAILED","count":2,"reason":"not needed"}');
INSERT INTO audit VALUES (20, 1767268800123, 'breaker-opened', NULL, NULL, '{"reason":"CannotPullContainerError: not found","target":"image busybox:nope"}');
INSERT INTO audit VALUES (21, 1767268800123, 'burst-held', NULL, NULL, '{"price":220000000,"target":"burst addca385"}');
INSERT INTO audit VALUES (22, 1767268800123, 'burst-approved', NULL, NULL, '{"price":90000000,"target":"burst 777a471e","sender":"AROAEXAMPLE:s"}');
INSERT INTO audit VALUES (23, 1767268800123, 'job-accepted', 10, NULL, NULL);
INSERT INTO audit VALUES (24, 1767268800123, 'attempt-running', 10, NULL, '{"attempt":1}');
INSERT INTO audit VALUES (25, 1767268800123, 'attempt-running', 10, -1, '{"attempt":1}');
INSERT INTO audit VALUES (26, 1767268800123, 'attempt-running', 10, -3, '{"attempt":1}');
INSERT INTO audit VALUES (27, 1767268800123, 'attempt-ended', 10, -3, '{"attempt":1}');
INSERT INTO audit VALUES (28, 1767268800123, 'job-waiting', 10, -3, '{"status":"PENDING"}');
INSERT INTO breakers VALUES ('image', 'busybox:nope', '{"reason":"CannotPullContainerError: not found","since":"2026-01-01T12:00:30.123456789Z","n_failed":4,"n_probes":1,"state":{"kind":"open","probe_at":"2026-01-01T12:10:30.123456789Z"}}');
INSERT INTO bursts VALUES (1, '{"held":{"price":220000000,"since":"2026-01-01T12:00:40.123456789Z"},"approved":{"held":{"price":90000000,"since":"2026-01-01T12:00:20.123456789Z"},"at":"2026-01-01T12:00:30.123456789Z","sender":"AROAEXAMPLE:s"}}');
INSERT INTO child_runs VALUES (4, 3, 4, '{"status":"FAILED","at":"2026-01-01T12:01:20.123456789Z","reason":"not needed"}');
INSERT INTO children VALUES (4, 0, 'RUNNING', 0, '{"status":"RUNNING","attempt":{"ord":1,"host":"00000000-0000-0000-0000-000000000001","placed_at":"2026-01-01T12:01:00.123456789Z","task":"arn:aws:ecs:us-east-1:1:task/c/7","task_version":3,"expected":{"secs":600,"high_secs":900,"from":{"kind":"told-corrected","n":9}}},"started_at":"2026-01-01T12:01:10.123456789Z"}', NULL, NULL);
INSERT INTO children VALUES (4, 1, 'SUCCEEDED', 1, '{"status":"SUCCEEDED","at":"2026-01-01T12:01:30.123456789Z"}', 1767268890, 'Essential container in task exited');
INSERT INTO children VALUES (10, 0, 'RUNNING', 0, '{"status":"RUNNING","attempt":{"ord":1,"host":"00000000-0000-0000-0000-000000000001","placed_at":"2026-01-01T12:01:00.123456789Z","task":"arn:aws:ecs:us-east-1:1:task/c/7","task_version":3,"expected":{"secs":600,"high_secs":900,"from":{"kind":"told-corrected","n":9}}},"started_at":"2026-01-01T12:01:10.123456789Z"}', NULL, NULL);
INSERT INTO children VALUES (10, 2, 'PENDING', 1, '{"status":"PENDING"}', NULL, 'Essential container in task exited');
INSERT INTO cooling VALUES ('c5.large', 'us-east-1a', 'on-demand', '{"until":"2026-01-01T12:03:00.123456789Z","n_failed":1}');
INSERT INTO cooling VALUES ('c5.large', 'us-east-1a', 'spot', '{"until":"2026-01-01T12:03:00.123456789Z","n_failed":2}');
INSERT INTO definitions VALUES ('align', 1, '{"name":"align","revision":1,"token":"token-1","registered_at":"2026-01-01T12:00:00.123456789Z","deregistered_at":"2026-01-01T12:01:00.123456789Z","content":{"jobDefinitionName":"align","type":"container"}}');
INSERT INTO definitions VALUES ('align', 2, '{"name":"align","revision":2,"token":"token-2","registered_at":"2026-01-01T12:00:00.123456789Z","content":{"jobDefinitionName":"align","type":"container"}}');
INSERT INTO gangs VALUES (10, 3);
INSERT INTO gates VALUES ('queue', 'default', '{"is_paused":true,"ordered_at":"2026-01-01T12:00:01.123456789Z"}');
INSERT INTO hosts VALUES (x'00000000000000000000000000000001', 'registered', '{"id":"00000000-0000-0000-0000-000000000001","launch":"00000000-0000-0000-0000-000000000001","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"arch":"x86_64","price":30000,"capacity":{"cpu":2048,"memory":3700},"hazard":70,"state":{"status":"registered","instance":{"id":"i-0123456789abcdef0","launched_at":"2026-01-01T12:00:10.123456789Z"},"container_instance":"arn:aws:ecs:us-east-1:1:container-instance/c/1","at":"2026-01-01T12:00:40.123456789Z"}}');
INSERT INTO hosts VALUES (x'00000000000000000000000000000002', 'requested', '{"id":"00000000-0000-0000-0000-000000000002","launch":"00000000-0000-0000-0000-000000000001","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"arch":"x86_64","price":30000,"capacity":{"cpu":2048,"memory":3700},"hazard":70,"state":{"status":"requested"}}');
INSERT INTO hosts VALUES (x'00000000000000000000000000000003', 'gone', '{"id":"00000000-0000-0000-0000-000000000003","launch":"00000000-0000-0000-0000-000000000001","pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"arch":"x86_64","price":30000,"capacity":{"cpu":2048,"memory":3700},"hazard":70,"state":{"status":"gone","instance":{"id":"i-0123456789abcdef0","launched_at":"2026-01-01T12:00:10.123456789Z"},"at":"2026-01-01T12:01:39.123456789Z","cause":"idle","bill":500}}');
INSERT INTO job_tags VALUES ('team', 0, 'genomics');
INSERT INTO job_tags VALUES ('team', 1, 'genomics');
INSERT INTO job_tags VALUES ('team', 2, 'genomics');
INSERT INTO job_tags VALUES ('team', 3, 'genomics');
INSERT INTO job_tags VALUES ('team', 4, 'genomics');
INSERT INTO job_tags VALUES ('team', 10, 'genomics');
INSERT INTO jobs VALUES (0, x'42e103e1cf315da7843871d8ddf6a516', 'default', 'job-0', 'RUNNABLE', -1, '2026-01-01T12:00:00.123456789Z', 0, '{"status":"RUNNABLE","since":"2026-01-01T12:00:00.123456789Z"}', NULL, NULL, 'default', 1767268800, NULL, NULL);
INSERT INTO jobs VALUES (1, x'4546ce87530954158ef774117bdbbf4c', 'default', 'job-1', 'RUNNING', -2, '2026-01-01T12:00:00.123456789Z', 1, '{"status":"RUNNING","attempt":{"ord":2,"host":"00000000-0000-0000-0000-000000000001","placed_at":"2026-01-01T12:01:00.123456789Z","task":"arn:aws:ecs:us-east-1:1:task/c/7","task_version":3,"expected":{"secs":600,"high_secs":900,"from":{"kind":"told-corrected","n":9}}},"started_at":"2026-01-01T12:01:10.123456789Z"}', NULL, NULL, 'default', 1767268800, NULL, 'Essential container in task exited');
INSERT INTO jobs VALUES (2, x'bfa15f7a451f5253bcbc958492225782', 'other', 'align', 'SUCCEEDED', -3, '2026-01-01T12:00:00.123456789Z', 1, '{"status":"SUCCEEDED","at":"2026-01-01T12:01:30.123456789Z"}', NULL, NULL, 'default', 1767268800, 1767268890, 'Essential container in task exited');
INSERT INTO jobs VALUES (3, x'312e011d7ae956b2afe62826a0724313', 'other', 'odd', 'FAILED', -4, '2026-01-01T12:00:00.123456789Z', 0, '{"status":"FAILED","at":"2026-01-01T12:00:00.123456789Z","reason":"too large: memory"}', NULL, NULL, 'default', 1767268800, 1767268800, 'too large: memory');
INSERT INTO jobs VALUES (4, x'cf48a260f9d85790b7fb159130cf490c', 'default', 'job-4', 'PENDING', -5, '2026-01-01T12:00:00.123456789Z', 0, '{"status":"PENDING"}', NULL, NULL, 'default', 1767268800, NULL, NULL);
INSERT INTO jobs VALUES (10, x'd80a4c7e5ed0592586e11aaecc26c930', 'default', 'job-10', 'RUNNING', -11, '2026-01-01T12:00:00.123456789Z', 0, '{"status":"RUNNING","attempt":{"ord":1,"host":"00000000-0000-0000-0000-000000000001","placed_at":"2026-01-01T12:01:00.123456789Z","task":"arn:aws:ecs:us-east-1:1:task/c/7","task_version":3,"expected":{"secs":600,"high_secs":900,"from":{"kind":"told-corrected","n":9}}},"started_at":"2026-01-01T12:01:10.123456789Z"}', NULL, NULL, 'default', 1767268800, NULL, NULL);
INSERT INTO kinds VALUES ('af66bd4f4b0f5bf3', '{"name":"definition align","last_ended":"2026-01-01T12:01:30.123456789Z","took":[[25,0,0,1],[28,1,600,0]],"took_of_told":[]}');
INSERT INTO launches VALUES (x'00000000000000000000000000000001', 'settled', 1767268800123456789, '{"id":"00000000-0000-0000-0000-000000000001","decided_at":"2026-01-01T12:00:00.123456789Z","market":"spot","choices":[{"pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"price":30000}],"hosts":["00000000-0000-0000-0000-000000000001"],"state":{"status":"settled","at":"2026-01-01T12:00:08.123456789Z","n_launched":1,"errors":["InsufficientInstanceCapacity in c5.large/us-east-1a/spot"],"request_id":"59dbff89-35bd-4eac-99ed-be587EXAMPLE"}}');
INSERT INTO launches VALUES (x'00000000000000000000000000000002', 'open', 1767268801123456789, '{"id":"00000000-0000-0000-0000-000000000002","decided_at":"2026-01-01T12:00:01.123456789Z","market":"spot","choices":[{"pool":{"instance_type":"c5.large","zone":"us-east-1a","market":"spot"},"price":30000}],"hosts":["00000000-0000-0000-0000-000000000002"],"state":{"status":"open","retry_at":"2026-01-01T12:00:05.123456789Z","n_failed":1}}');
INSERT INTO learned VALUES ('c5.large', '{"cpu":2048,"memory":3700}');
INSERT INTO meta VALUES (1, x'e919761444744b958144bd0e6b4f710b', 2, 14, '2026-01-01T12:00:00.123456789Z', '[[18,1,75,0]]', 0);
INSERT INTO schedules VALUES ('nightly', '{"spec":{"name":"nightly","expression":"cron(0 2 * * ? *)","zone":"Europe/Berlin","end":"2026-01-02T12:00:00.123456789Z","missed":"once","catch_up":"PT1H","job":{"jobName":"n","jobQueue":"default"}},"sender":"AROAEXAMPLE:s","created_at":"2026-01-01T12:00:00.123456789Z","paused":false,"tokens":["t"],"settled_until":"2026-01-01T12:00:00.123456789Z","last":{"nominal":"2026-01-01T12:01:00.123456789Z","job":"42e103e1-cf31-5da7-8438-71d8ddf6a516"},"n_fired":0,"n_missed":0}');
INSERT INTO shares VALUES ('default', 'teamA', '{"used":900,"as_of_sec":1767268860}');
INSERT INTO specs VALUES (0, '{"name":"job-0","queue":"default","container":{"image":"busybox","command":["sh","-c","exit 3"],"environment":[["A","1"]],"readonly_root_filesystem":false,"init_process":false},"resources":{"cpu":1024,"memory":2048},"arch":null,"market":"any","attempts":2,"attempt_timeout":"PT10M","expected_duration":null,"tags":{"team":"genomics"},"propagate_tags":false}', '[]');
INSERT INTO specs VALUES (1, '{"name":"job-1","queue":"default","container":{"image":"busybox","command":["sh","-c","exit 3"],"environment":[["A","1"]],"readonly_root_filesystem":false,"init_process":false},"resources":{"cpu":1024,"memory":2048},"arch":null,"market":"any","attempts":2,"attempt_timeout":"PT10M","expected_duration":null,"tags":{"team":"genomics"},"propagate_tags":false}', '[]');
INSERT INTO specs VALUES (2, '{"name":"align","queue":"other","container":{"image":"busybox","command":["sh","-c","exit 3"],"environment":[["A","1"]],"readonly_root_filesystem":false,"init_process":false},"resources":{"cpu":1024,"memory":2048},"arch":null,"market":"any","attempts":2,"attempt_timeout":"PT10M","expected_duration":null,"tags":{"team":"genomics"},"propagate_tags":false}', '[]');
INSERT INTO specs VALUES (3, '{"name":"odd","queue":"other","container":{"image":"busybox","command":["sh","-c","exit 3"],"environment":[["A","1"]],"readonly_root_filesystem":false,"init_process":false},"resources":{"cpu":1024,"memory":2048},"arch":null,"market":"any","attempts":2,"attempt_timeout":"PT10M","expected_duration":null,"tags":{"team":"genomics"},"propagate_tags":false}', '["jobDefinition.x: unknown key"]');
INSERT INTO specs VALUES (4, '{"name":"job-4","queue":"default","container":{"image":"busybox","command":["sh","-c","exit 3"],"environment":[["A","1"]],"readonly_root_filesystem":false,"init_process":false},"resources":{"cpu":1024,"memory":2048},"arch":null,"market":"any","attempts":2,"attempt_timeout":"PT10M","expected_duration":null,"tags":{"team":"genomics"},"propagate_tags":false,"array":{"indexes":{"first":10,"step":2,"size":5},"max_concurrency":3,"sequential":false}}', '[]');
INSERT INTO specs VALUES (10, '{"name":"job-10","queue":"default","container":{"image":"busybox","command":["sh","-c","exit 3"],"environment":[["A","1"]],"readonly_root_filesystem":false,"init_process":false},"resources":{"cpu":1024,"memory":2048},"arch":null,"market":"any","attempts":2,"attempt_timeout":"PT10M","expected_duration":null,"tags":{"team":"genomics"},"propagate_tags":false,"gang":{"main":1,"groups":[{"first":0,"last":2,"container":{"image":"busybox","command":["sh","-c","exit 3"],"environment":[["A","1"]],"readonly_root_filesystem":false,"init_process":false},"resources":{"cpu":1024,"memory":2048}}]}}', '[]');
INSERT INTO spending VALUES ('2026-01-01', '', '', 1234567);
INSERT INTO spending VALUES ('2026-01-01', 'default', 'teamA', 1234567);
INSERT INTO spot VALUES ('c5.large', 'us-east-1a', '{"interruptions_milli":1000,"host_secs":7200,"as_of":"2026-01-01T12:01:30.123456789Z"}');
