-- A crew may have several addresses, and a server may take a mail for some of them only.
-- addresses: JSON, one entry for each address: [{"address","state","at","code","text"}]. Empty: not tried yet.
-- urgent: it tells of an open P1 order, and goes before others.
-- asked_again_at: an operator wants it tried again; what counts from the decision counts from here.
CREATE TABLE outbox_by_address (
    message_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    orders TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'sent', 'partly-sent', 'refused', 'dropped')),
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER,
    sent_at INTEGER,
    last_error TEXT,
    addresses TEXT NOT NULL DEFAULT '[]',
    urgent INTEGER NOT NULL DEFAULT 0,
    asked_again_at INTEGER,
    body TEXT NOT NULL
);
INSERT INTO outbox_by_address
    (rowid, message_id, kind, recipient, orders, decided_at, state, tries, next_try_at, sent_at, last_error, urgent, body)
SELECT rowid, message_id, kind, recipient, orders, decided_at, state, tries, next_try_at, sent_at, last_error,
    EXISTS (
        SELECT 1 FROM json_each(outbox.body, '$.orders') AS o
        WHERE o.value ->> '$.priority' = 'P1' AND o.value ->> '$.state' NOT IN ('closed', 'cancelled')
    ),
    body
FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_by_address RENAME TO outbox;
CREATE INDEX outbox_waiting ON outbox (urgent DESC, decided_at) WHERE state = 'waiting';
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE state IN ('sent', 'partly-sent');
