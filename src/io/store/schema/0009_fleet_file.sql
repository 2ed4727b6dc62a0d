-- Which fleet file was last taken over: what was imported later holds until the file changes.
CREATE TABLE fleet_file (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    digest TEXT NOT NULL
);
