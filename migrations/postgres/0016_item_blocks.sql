-- Items take their ids by the block, each of which is one connection's own: the next id of a connection,
-- and the blocks that are left. Far behind the ids that were given one by one, as a program of the version
-- before may still do until it is stopped.
CREATE TABLE item_ids (
    connection_id BIGINT PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    next BIGINT NOT NULL
);
CREATE SEQUENCE item_blocks;
SELECT setval('item_blocks', last_value / 4096 + 100000) FROM items_id_seq;
