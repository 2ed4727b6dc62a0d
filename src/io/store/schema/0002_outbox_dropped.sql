-- A mail that an operator does not want sent any more stays in sight: dropped, with who did it.
CREATE TABLE outbox_with_dropped (
    message_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    orders TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'refused', 'dropped')),
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER,
    sent_at INTEGER,
    last_error TEXT,
    body TEXT NOT NULL
);
INSERT INTO outbox_with_dropped (rowid, message_id, kind, recipient, orders, decided_at, state, tries, next_try_at, sent_at, last_error, body)
SELECT rowid, message_id, kind, recipient, orders, decided_at, state, tries, next_try_at, sent_at, last_error, body FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_with_dropped RENAME TO outbox;
CREATE INDEX outbox_waiting ON outbox (next_try_at) WHERE state = 'waiting';
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE state = 'sent';
