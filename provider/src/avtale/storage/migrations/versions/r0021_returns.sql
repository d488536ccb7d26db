ALTER TABLE charges ADD COLUMN returned BIGINT NOT NULL DEFAULT 0;

ALTER TABLE attempts ADD COLUMN returned BIGINT NOT NULL DEFAULT 0;

ALTER TABLE ledger
  DROP CONSTRAINT ledger_kind_check,
  ADD CONSTRAINT ledger_kind_check CHECK (kind IN ('capture', 'refund', 'return'));

ALTER TABLE refunds
  DROP CONSTRAINT refunds_status_check,
  ADD CONSTRAINT refunds_status_check CHECK (status IN ('accepted', 'failed', 'rejected', 'unknown', 'written'));
