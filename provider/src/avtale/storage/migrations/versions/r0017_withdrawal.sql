ALTER TABLE agreements
  ADD COLUMN consented_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN withdrawn_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE charges
  ADD COLUMN keep_max BIGINT,
  DROP CONSTRAINT charges_kind_check,
  DROP CONSTRAINT charges_period_check,
  ADD CONSTRAINT charges_kind_check CHECK (kind IN ('initial', 'one_off', 'purchase', 'recurring', 'stray')),
  ADD CONSTRAINT charges_period_check CHECK ((period IS NULL) = (kind IN ('one_off', 'purchase', 'stray')));
