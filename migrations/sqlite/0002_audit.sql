-- Who did what, for the workspace it was done in; kept for a year.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    -- Null where nobody did it: an approval that its provider ended.
    user_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    deed TEXT NOT NULL,
    -- What it was done to, by the name it had then, for it may be gone.
    subject TEXT,
    provider TEXT
);
CREATE INDEX audit_of_workspace ON audit (workspace_id, id);
-- What is too old.
CREATE INDEX audit_by_time ON audit (at);
