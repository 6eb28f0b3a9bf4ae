-- What a name is sorted and searched by, folded in Rust so that both databases agree. `folded` is all of
-- it where `sort_name` is only its beginning. Filled in behind a start for items that were here before.
ALTER TABLE items ADD COLUMN sort_name TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN folded TEXT COLLATE "C";

-- A list is merged from the ordered parts of each connection and type, so the type stands in front and a
-- rare one is found at once. `modified_at` at the end of two of them, so that "changed since" is decided
-- without a look at the row. Items that are gone stand in indexes of their own: those cost an import
-- nothing, and a list without them does not step over them.
DROP INDEX items_by_modified;
CREATE INDEX items_by_modified ON items (connection_id, type, modified_at, id) WHERE gone_at IS NULL;
CREATE INDEX items_by_created ON items (connection_id, type, created_at, id, modified_at) WHERE gone_at IS NULL;
CREATE INDEX items_by_name ON items (connection_id, type, sort_name, id, modified_at) WHERE gone_at IS NULL;
CREATE INDEX items_by_parent ON items (connection_id, parent_id, modified_at, id, type)
    WHERE gone_at IS NULL AND parent_id IS NOT NULL;
CREATE INDEX gone_by_modified ON items (connection_id, type, modified_at, id) WHERE gone_at IS NOT NULL;
CREATE INDEX gone_by_created ON items (connection_id, type, created_at, id, modified_at) WHERE gone_at IS NOT NULL;
CREATE INDEX gone_by_name ON items (connection_id, type, sort_name, id, modified_at) WHERE gone_at IS NOT NULL;
CREATE INDEX gone_by_parent ON items (connection_id, parent_id, modified_at, id, type)
    WHERE gone_at IS NOT NULL AND parent_id IS NOT NULL;

-- Which names hold a piece of one, two or three characters: for a block of neighbouring ids, the pieces
-- that share a bucket, each with the ids that hold it.
CREATE TABLE name_pieces (
    connection_id BIGINT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    bucket BIGINT NOT NULL,
    block BIGINT NOT NULL,
    lists BYTEA NOT NULL,
    PRIMARY KEY (connection_id, bucket, block)
);

-- Blocks with names that are not in there yet, and since when: searches look at all of these.
CREATE TABLE names_due (
    connection_id BIGINT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    block BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, block)
);
CREATE INDEX names_due_by_time ON names_due (at);
INSERT INTO names_due (connection_id, block, at) SELECT DISTINCT connection_id, id / 4096, 0 FROM items;
