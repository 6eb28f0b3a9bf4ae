-- Whether everything is to be read after a run that reads only what has changed: somebody asked for it meanwhile.
ALTER TABLE runs ADD COLUMN then_full BOOLEAN NOT NULL DEFAULT FALSE;
