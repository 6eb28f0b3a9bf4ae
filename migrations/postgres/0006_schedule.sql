-- How often a connection is imported from: null as the installation has it, 0 by hand only.
ALTER TABLE connections ADD COLUMN every_ms BIGINT;
-- When that is next: null until it is planned, negative for never.
ALTER TABLE connections ADD COLUMN next_import_at BIGINT;
-- Imports in a row that got nowhere.
ALTER TABLE connections ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
