-- Times are milliseconds since 1970 in UTC. Ids are never used twice (AUTOINCREMENT), for sealed
-- values and bookmarks name them.

-- The one clock that all processes share.
CREATE VIEW clock AS SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now;

-- What this installation itself keeps sealed, such as the cookie's key.
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
);

-- Processes that run, with the ids of the keys they hold: keys are not rotated past one that lacks the
-- newest.
CREATE TABLE instances (
    id TEXT PRIMARY KEY,
    keys TEXT NOT NULL,
    seen_at INTEGER NOT NULL
);

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

-- A person as a provider names them. `subject` is token host, provider and id: never an e-mail address.
CREATE TABLE identities (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    subject TEXT NOT NULL UNIQUE,
    provider TEXT NOT NULL,
    account_id TEXT NOT NULL,
    email TEXT,
    created_at INTEGER NOT NULL
);

CREATE TABLE workspaces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE members (
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
);

-- A session is live only while its sign-in is.
CREATE TABLE sign_ins (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    identity_id INTEGER NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ended_at INTEGER
);
CREATE INDEX sign_ins_of_identity ON sign_ins (identity_id);
CREATE INDEX identities_of_user ON identities (user_id);

CREATE TABLE connections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    -- What makes the account the same one when it is approved again.
    account_key TEXT NOT NULL,
    account_id TEXT NOT NULL,
    account_name TEXT NOT NULL,
    person TEXT NOT NULL,
    -- What the adapter wants to know about the account again, in its own words.
    notes TEXT NOT NULL,
    scopes TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    created_at INTEGER NOT NULL,
    last_import_at INTEGER,
    -- Since then hidden, and its items are being erased.
    disconnected_at INTEGER
);
-- An account stands once in a workspace; one that is being erased does not stand there any more.
CREATE UNIQUE INDEX connections_account ON connections (workspace_id, provider, account_key)
    WHERE disconnected_at IS NULL;
-- What is left to erase.
CREATE INDEX connections_leaving ON connections (disconnected_at) WHERE disconnected_at IS NOT NULL;

CREATE TABLE grants (
    connection_id INTEGER PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    sealed BLOB NOT NULL,
    -- Changes with each renewal and each approval: whoever writes names the one they know.
    version INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- Who is renewing it, and until when that counts, by the database's clock.
    lease_owner TEXT,
    lease_until INTEGER,
    -- Attempts in a row that failed, and when the next may be made.
    failures INTEGER NOT NULL DEFAULT 0,
    retry_at INTEGER
);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    cause TEXT NOT NULL,
    "full" BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    error_code TEXT,
    error_message TEXT
);
-- One run of a connection at a time, whoever asks for it.
CREATE UNIQUE INDEX runs_live ON runs (connection_id) WHERE finished_at IS NULL;
CREATE INDEX runs_of_connection ON runs (connection_id, id);

CREATE TABLE run_streams (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- Where to go on; null before the first page.
    "cursor" TEXT,
    done BOOLEAN NOT NULL,
    fetched INTEGER NOT NULL DEFAULT 0,
    added INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0,
    unchanged INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    calls INTEGER NOT NULL DEFAULT 0,
    waited_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, name)
);

CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    container TEXT NOT NULL,
    type TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The smallest integer stands for "the provider has none": a sort column is never null.
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    url TEXT,
    -- Tells whether the record as it came has changed.
    fingerprint BLOB NOT NULL,
    -- The last run that met it.
    seen_run INTEGER NOT NULL,
    UNIQUE (connection_id, container, type, provider_id)
);
-- The list, newest first, of one connection; lists of several are merged from it.
CREATE INDEX items_by_modified ON items (connection_id, modified_at, id);

-- Apart from the list's rows, so that paging through the list does not read it.
CREATE TABLE item_raws (
    item_id INTEGER PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
    raw BLOB NOT NULL
);

CREATE TABLE item_counts (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (connection_id, type)
);

-- What may be forgotten, where there is no Redis.
CREATE TABLE ephemeral (
    "key" TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX ephemeral_expired ON ephemeral (expires_at);
