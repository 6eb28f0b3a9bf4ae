-- What became of items, for programs that follow along. Kept 30 days. No reference to the connection: that
-- one was removed is told after it is gone.
CREATE TABLE changes (
    -- A number is never given twice, not even when all are forgotten.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id BIGINT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    connection_id BIGINT NOT NULL,
    -- Null where it is about the connection.
    item_id BIGINT,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX changes_of_workspace ON changes (workspace_id, seq);

-- The last change that is kept no more: who has not come that far has missed some.
CREATE TABLE changes_forgotten (
    workspace_id BIGINT PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL
);
