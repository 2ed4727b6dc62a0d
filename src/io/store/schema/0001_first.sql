-- Everything that Buttonwatch promises to remember. Times are milliseconds since 1970-01-01T00:00:00Z.
-- `body` columns hold the whole value as JSON; the columns beside it are for finding rows.

-- What was heard, in the order in which it was judged: one row a commit, recording lines, lz4 with the size in front.
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    raw_bytes INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX journal_by_time ON journal (last_at);

-- The engine's state after journal row `seq`. A restart loads it and replays the rows after it.
CREATE TABLE checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL
);
CREATE TABLE checkpoint_unit (
    unit TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL
);

-- The newest time that any commit knew. Time alone decides too, without a line in the journal: a restart lets the engine
-- come up to this time, silently, before it goes on.
CREATE TABLE clock (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at INTEGER NOT NULL
);

CREATE TABLE fleet_unit (
    unit TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
);
-- Every alerts.toml that was ever in force; the newest is.
CREATE TABLE rules (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    toml TEXT NOT NULL
);

CREATE TABLE work_order (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    priority TEXT NOT NULL,
    crew TEXT NOT NULL,
    site TEXT,
    unit TEXT,
    component TEXT,
    opened_at INTEGER NOT NULL,
    due_at INTEGER,
    closed_at INTEGER,
    body TEXT NOT NULL
);
CREATE INDEX work_order_open ON work_order (id) WHERE is_open = 1;
CREATE INDEX work_order_by_unit ON work_order (unit, id);

-- next_try_at NULL: at once.
CREATE TABLE outbox (
    message_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    orders TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'refused')),
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER,
    sent_at INTEGER,
    last_error TEXT,
    body TEXT NOT NULL
);
CREATE INDEX outbox_waiting ON outbox (next_try_at) WHERE state = 'waiting';
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE state = 'sent';

CREATE TABLE readiness_history (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    unit TEXT NOT NULL,
    was TEXT NOT NULL,
    became TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX readiness_by_unit ON readiness_history (unit, at);
CREATE INDEX readiness_by_time ON readiness_history (at);

CREATE TABLE alert_history (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    unit TEXT NOT NULL,
    rule TEXT NOT NULL,
    component TEXT NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX alert_history_by_unit ON alert_history (unit, at);
CREATE INDEX alert_history_by_time ON alert_history (at);
-- Alerts that are not resolved. `since`: when the first of its present states began.
CREATE TABLE alert_open (
    unit TEXT NOT NULL,
    rule TEXT NOT NULL,
    component TEXT NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (unit, rule)
);

CREATE TABLE incident (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER,
    units TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE UNIQUE INDEX incident_open ON incident (kind, name) WHERE closed_at IS NULL;

-- Commands to units that were decided and have not expired: a restart sends them again.
CREATE TABLE command (
    unit TEXT NOT NULL,
    command_id TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (unit, command_id)
);
CREATE INDEX command_by_expiry ON command (expires_at);

CREATE TABLE quarantine (
    unit TEXT NOT NULL PRIMARY KEY,
    first_heard INTEGER NOT NULL,
    last_heard INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    last_topic TEXT NOT NULL
);

CREATE TABLE refusal (
    kind TEXT NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    unit TEXT,
    topic TEXT NOT NULL,
    why TEXT NOT NULL,
    example TEXT NOT NULL
);
