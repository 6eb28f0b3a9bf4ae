-- A block's roster stands beside its lists, as one more of its values; those that were written before have
-- none yet.
INSERT INTO names_due (connection_id, block, at)
SELECT DISTINCT connection_id, block, CAST(0 AS BIGINT) FROM name_pieces WHERE true
ON CONFLICT (connection_id, block) DO NOTHING;
