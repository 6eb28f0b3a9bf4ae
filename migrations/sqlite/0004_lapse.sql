-- Whether a grant can be renewed, and when it ends if it is not: null where its provider names no end.
ALTER TABLE grants ADD COLUMN renews BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE grants ADD COLUMN lapses_at INTEGER;
CREATE INDEX grants_lapsing ON grants (lapses_at) WHERE lapses_at IS NOT NULL;
