-- An agreement may be put right more than once, by rows of the same id.
DROP INDEX import_rows_done_key;
CREATE UNIQUE INDEX import_rows_done_key ON import_rows (tenant_id, kind, row_id)
  WHERE state = 'applied' AND kind <> 'fix_agreements';

CREATE TABLE import_people (
  tenant_id UUID NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  email TEXT,
  phone TEXT,
  recreated BOOLEAN NOT NULL,
  import_id UUID NOT NULL,
  CONSTRAINT import_people_pk PRIMARY KEY (tenant_id, issuer, subject)
);
CREATE INDEX import_people_tenant_id_email_ix ON import_people (tenant_id, email);
CREATE INDEX import_people_tenant_id_phone_ix ON import_people (tenant_id, phone);

CREATE TABLE dashboard_agreements (
  tenant_id UUID NOT NULL,
  agreement_id UUID NOT NULL,
  subject TEXT NOT NULL,
  product_id VARCHAR(64) NOT NULL,
  status TEXT NOT NULL,
  price BIGINT NOT NULL,
  currency VARCHAR(3) NOT NULL,
  gift BOOLEAN NOT NULL,
  activated_at TIMESTAMP WITH TIME ZONE,
  stopped_at TIMESTAMP WITH TIME ZONE,
  stop_reason TEXT,
  paid_until DATE,
  access_until TIMESTAMP WITH TIME ZONE,
  refreshed_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT dashboard_agreements_pk PRIMARY KEY (tenant_id, agreement_id)
);

CREATE TABLE dashboard_charges (
  tenant_id UUID NOT NULL,
  charge_id UUID NOT NULL,
  agreement_id UUID,
  purchase_id UUID,
  kind TEXT NOT NULL,
  period INTEGER,
  period_start DATE NOT NULL,
  period_end DATE NOT NULL,
  due DATE NOT NULL,
  price BIGINT NOT NULL,
  currency VARCHAR(3) NOT NULL,
  status TEXT NOT NULL,
  captured BIGINT NOT NULL,
  refunded BIGINT NOT NULL,
  failure_reason TEXT,
  refreshed_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT dashboard_charges_pk PRIMARY KEY (tenant_id, charge_id)
);
