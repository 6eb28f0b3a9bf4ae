-- What a run uses just now of what its provider allows it: calls, of so many in a window.
ALTER TABLE runs ADD COLUMN rate_used BIGINT;
ALTER TABLE runs ADD COLUMN rate_allowed BIGINT;
ALTER TABLE runs ADD COLUMN rate_window_ms BIGINT;

-- Whether only the sums of its listings are left.
ALTER TABLE runs ADD COLUMN folded BOOLEAN NOT NULL DEFAULT FALSE;
-- How many listings a row stands for once they are folded into it; 0 for one that is a listing itself.
ALTER TABLE run_streams ADD COLUMN folded BIGINT NOT NULL DEFAULT 0;
-- What is left to fold, what is old enough to go, and the runs that read everything.
CREATE INDEX runs_unfolded ON runs (id) WHERE finished_at IS NOT NULL AND NOT folded;
CREATE INDEX runs_folded ON runs (finished_at) WHERE folded;
CREATE INDEX runs_full ON runs (connection_id, id) WHERE "full" AND state IN ('done', 'partial');
