-- Who approved a connection: the user here, and the person as the provider names them, who may become a
-- second way in for that user and for no other.
ALTER TABLE connections ADD COLUMN approved_by INTEGER REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE connections ADD COLUMN subject TEXT;
ALTER TABLE connections ADD COLUMN subject_email TEXT;
-- A sign-in by a link from the host, not by the provider.
ALTER TABLE sign_ins ADD COLUMN by_link BOOLEAN NOT NULL DEFAULT FALSE;
