ALTER TABLE refunds
  ADD COLUMN looked_at TIMESTAMPTZ;

CREATE INDEX refunds_failed_ix ON refunds (tenant_id, id)
  WHERE status IN ('failed', 'rejected') AND looked_at IS NULL;
