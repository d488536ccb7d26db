CREATE TABLE exchange_rates (
  tenant_id UUID NOT NULL,
  currency VARCHAR(3) NOT NULL,
  day DATE NOT NULL,
  nok NUMERIC(18, 8) NOT NULL,
  CONSTRAINT exchange_rates_pk PRIMARY KEY (tenant_id, currency, day),
  CONSTRAINT exchange_rates_nok_check CHECK (nok > 0)
);
