-- What an item stands in, by the provider's own ids: paths are worked out on reading, so that a renamed
-- parent is right everywhere.
ALTER TABLE items ADD COLUMN parent_container TEXT;
ALTER TABLE items ADD COLUMN parent_kind TEXT;
ALTER TABLE items ADD COLUMN parent_id TEXT;

-- A run's listings: the roots, and those that were found on the way. `name` is the stream, or the stream
-- and which of its listings, with a colon between them.
ALTER TABLE run_streams ADD COLUMN stream TEXT NOT NULL DEFAULT '';
ALTER TABLE run_streams ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE run_streams ADD COLUMN about TEXT NOT NULL DEFAULT '';
ALTER TABLE run_streams ADD COLUMN total INTEGER;
-- How much of it the run has: complete, partial or unknown; null until its end.
ALTER TABLE run_streams ADD COLUMN coverage TEXT;
ALTER TABLE run_streams ADD COLUMN code TEXT;
ALTER TABLE run_streams ADD COLUMN reason TEXT;
UPDATE run_streams SET stream = name;
-- What is left of a run to read.
CREATE INDEX run_streams_left ON run_streams (run_id, name) WHERE NOT done;

-- Until when a run waits for its provider.
ALTER TABLE runs ADD COLUMN waiting_until INTEGER;

-- When each listing was last begun to be read that was read to its end: the next run asks what has changed
-- since.
CREATE TABLE marks (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    read_at INTEGER NOT NULL,
    -- What was known of it then. What is known anew can make another item of a record that has not changed.
    about TEXT NOT NULL,
    PRIMARY KEY (connection_id, name)
);
