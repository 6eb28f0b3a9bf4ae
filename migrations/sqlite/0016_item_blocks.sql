-- Items take their ids by the block, each of which is one connection's own: the next id of a connection,
-- and the last block that was taken. No program of the version before may write beside one that knows this:
-- it would take the ids of the latest block.
CREATE TABLE item_ids (
    connection_id INTEGER PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    next INTEGER NOT NULL
);
CREATE TABLE item_blocks (last INTEGER NOT NULL);
INSERT INTO item_blocks (last) SELECT COALESCE(MAX(id), 0) / 4096 FROM items;
