ALTER TABLE event_streams
  ADD COLUMN keep_days INTEGER,
  ADD COLUMN prune_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN pruned_position BIGINT NOT NULL DEFAULT 0,
  ADD CONSTRAINT event_streams_prune_check CHECK ((keep_days IS NULL) = (prune_at IS NULL));

CREATE TABLE event_readers (
  tenant_id UUID NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  position BIGINT NOT NULL,
  read_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT event_readers_pk PRIMARY KEY (tenant_id, issuer, subject)
);
