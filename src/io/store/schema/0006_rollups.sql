-- Hourly rollups of readings: count, min, max, sum and last of each metric. `body`: `io/store/rollups` says how it is packed.
-- An hour is first kept by itself, so that little is written while it goes on; when its day is over, it joins the others of
-- that day in one row. A late reading may begin an hour of a day long past: it joins it in the same way.
-- `hour` and `day` are counted from 1970-01-01T00:00:00Z.
CREATE TABLE rollup_hour (
    hour INTEGER NOT NULL,
    unit TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (hour, unit)
) WITHOUT ROWID;
CREATE TABLE rollup_day (
    id INTEGER PRIMARY KEY,
    day INTEGER NOT NULL,
    unit TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX rollup_day_of_unit ON rollup_day (day, unit);

-- How far each unit's messages are rolled up: the journal's row, and what tells repeats from new ones after it. It changes
-- with the unit's hours, so that a round that was broken off counts nothing twice.
CREATE TABLE rollup_unit (
    unit TEXT NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL,
    arrivals TEXT NOT NULL
) WITHOUT ROWID;
-- The journal's row up to which all units are rolled up. Rows after it are not pruned for their age.
CREATE TABLE rollup_place (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
);
