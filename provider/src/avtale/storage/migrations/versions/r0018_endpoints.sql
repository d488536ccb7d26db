ALTER TABLE event_endpoints
  ADD COLUMN types JSONB,
  ADD COLUMN old_secret_sealed BYTEA,
  ADD COLUMN old_secret_wall TIMESTAMP WITH TIME ZONE,
  ADD CONSTRAINT event_endpoints_old_secret_check CHECK ((old_secret_sealed IS NULL) = (old_secret_wall IS NULL));
