ALTER TABLE vipps_accounts
  ADD COLUMN charge_calls_per_minute_max INTEGER DEFAULT 500 NOT NULL,
  ADD CONSTRAINT vipps_accounts_charge_calls_per_minute_max_check CHECK (charge_calls_per_minute_max >= 0);

CREATE TABLE call_budgets (
  tenant_id UUID NOT NULL,
  name TEXT NOT NULL,
  next_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  closed_until_wall TIMESTAMP WITH TIME ZONE,
  CONSTRAINT call_budgets_pk PRIMARY KEY (tenant_id, name)
);
