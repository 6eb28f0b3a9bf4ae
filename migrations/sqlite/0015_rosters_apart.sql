-- Rosters have a table of their own, and in them is all that a search may ask of an item. Lists stand in
-- the order in which a search reads them: many of one bucket on a page.
INSERT INTO names_due (connection_id, block, at)
SELECT DISTINCT connection_id, block, 0 FROM name_pieces WHERE true
ON CONFLICT (connection_id, block) DO NOTHING;
DROP TABLE name_pieces;
CREATE TABLE name_pieces (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    bucket INTEGER NOT NULL,
    block INTEGER NOT NULL,
    lists BLOB NOT NULL,
    PRIMARY KEY (connection_id, bucket, block)
) WITHOUT ROWID;
CREATE TABLE name_rosters (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    block INTEGER NOT NULL,
    roster BLOB NOT NULL,
    times BLOB NOT NULL,
    PRIMARY KEY (connection_id, block)
);
