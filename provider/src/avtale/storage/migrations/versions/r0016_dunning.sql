ALTER TABLE agreements ADD COLUMN pause_reason TEXT;

CREATE TABLE dunnings (
  tenant_id UUID NOT NULL,
  charge_id UUID NOT NULL,
  agreement_id UUID NOT NULL,
  status TEXT NOT NULL,
  reason TEXT,
  orders INTEGER NOT NULL,
  next_order_on DATE,
  opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
  closed_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT dunnings_pk PRIMARY KEY (tenant_id, charge_id),
  CONSTRAINT dunnings_charges_fk FOREIGN KEY (tenant_id, charge_id) REFERENCES charges (tenant_id, id),
  CONSTRAINT dunnings_status_check CHECK (status IN ('lost', 'open', 'recovered')),
  CONSTRAINT dunnings_closed_check CHECK ((status = 'open') = (closed_at IS NULL))
);

CREATE INDEX dunnings_tenant_id_status_charge_id_ix ON dunnings (tenant_id, status, charge_id);
