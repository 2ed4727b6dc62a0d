-- Every press that was heard, for reports of a month and more: the journal is kept for days only.
-- answered: 1, 0, or NULL when the unit could not tell. (unit, boot, seq) is the message: what comes twice is one press.
CREATE TABLE press (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    unit TEXT NOT NULL,
    boot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    is_test INTEGER NOT NULL,
    answered INTEGER,
    answer_ms REAL,
    UNIQUE (unit, boot, seq)
);
CREATE INDEX press_by_time ON press (at);
-- A store from before this table kept no presses until then. No row: they are kept from the beginning.
CREATE TABLE press_kept (since INTEGER NOT NULL);
INSERT INTO press_kept (since) SELECT at FROM clock;
