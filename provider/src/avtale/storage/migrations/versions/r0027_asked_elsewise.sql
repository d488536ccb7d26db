ALTER TABLE agreements
  ADD COLUMN asked JSONB;

CREATE INDEX agreements_asked_ix ON agreements (tenant_id, id) WHERE asked IS NOT NULL;
