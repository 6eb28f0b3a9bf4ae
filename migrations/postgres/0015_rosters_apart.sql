-- Rosters have a table of their own, and in them is all that a search may ask of an item.
LOCK TABLE names_due, name_pieces IN ACCESS EXCLUSIVE MODE;
INSERT INTO names_due (connection_id, block, at)
SELECT DISTINCT connection_id, block, CAST(0 AS BIGINT) FROM name_pieces
ON CONFLICT (connection_id, block) DO NOTHING;
TRUNCATE name_pieces;
-- A program of the version before, as long as it is not stopped, would list a block without its new roster.
ALTER TABLE name_pieces ADD CHECK (bucket < 256);
CREATE TABLE name_rosters (
    connection_id BIGINT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    block BIGINT NOT NULL,
    roster BYTEA NOT NULL,
    times BYTEA NOT NULL,
    PRIMARY KEY (connection_id, block)
);
-- They are read by the dozen: to take them apart again would take longer than to read them.
ALTER TABLE name_rosters
    ALTER COLUMN roster SET STORAGE EXTERNAL,
    ALTER COLUMN times SET STORAGE EXTERNAL;
