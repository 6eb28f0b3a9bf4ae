-- A block's roster stands beside its lists, as one more of its values; those that were written before have
-- none yet.
INSERT INTO names_due (connection_id, block, at)
SELECT DISTINCT connection_id, block, CAST(0 AS BIGINT) FROM name_pieces
ON CONFLICT (connection_id, block) DO NOTHING;

-- Values are read by the hundred: to take them apart again would take longer than to read them.
ALTER TABLE name_pieces ALTER COLUMN lists SET STORAGE EXTERNAL;
