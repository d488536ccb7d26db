ALTER TABLE products
  ADD COLUMN campaigns JSONB NOT NULL DEFAULT '[]',
  ADD COLUMN suggested_max BIGINT;

ALTER TABLE agreements
  ADD COLUMN campaign JSONB,
  ADD COLUMN suggested_max BIGINT,
  ADD COLUMN limit_amount BIGINT,
  ADD COLUMN next_amount BIGINT,
  ADD COLUMN phase_period INTEGER NOT NULL DEFAULT 1,
  ADD COLUMN phase_start DATE,
  ADD CONSTRAINT agreements_variable_check CHECK (
    suggested_max IS NOT NULL OR num_nonnulls(limit_amount, next_amount) = 0
  );

CREATE TABLE agreement_phases (
  tenant_id UUID NOT NULL,
  agreement_id UUID NOT NULL,
  from_period INTEGER NOT NULL,
  start DATE NOT NULL,
  interval_unit TEXT NOT NULL,
  interval_count SMALLINT NOT NULL,
  reason TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT agreement_phases_pk PRIMARY KEY (tenant_id, agreement_id, from_period),
  CONSTRAINT agreement_phases_agreements_fk FOREIGN KEY (tenant_id, agreement_id)
    REFERENCES agreements (tenant_id, id),
  CONSTRAINT agreement_phases_interval_unit_check CHECK (interval_unit IN ('day', 'month', 'week', 'year'))
);
