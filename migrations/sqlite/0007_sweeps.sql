-- Since when an item is known to be at its provider no more; it is out of lists then.
ALTER TABLE items ADD COLUMN gone_at INTEGER;

-- Whether what a listing did not name is still to be looked for: 'due', then 'done'; null for never.
ALTER TABLE run_streams ADD COLUMN sweep TEXT;
ALTER TABLE run_streams ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
-- Items that were absent from it, where they were too many to drop without a person's yes.
ALTER TABLE run_streams ADD COLUMN held INTEGER NOT NULL DEFAULT 0;

-- What a person is asked: items that a listing has no more, too many of them to believe it.
CREATE TABLE removals (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    -- The listing, as the runs name it, with its stream and what people call it.
    source TEXT NOT NULL,
    stream TEXT NOT NULL,
    label TEXT NOT NULL,
    -- The run that did not meet them.
    run_id INTEGER NOT NULL,
    absent INTEGER NOT NULL,
    "of" INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    -- 'drop' or 'keep'; null until somebody has said.
    answer TEXT,
    PRIMARY KEY (connection_id, source)
);
-- What is left to carry out.
CREATE INDEX removals_answered ON removals (connection_id) WHERE answer IS NOT NULL;
