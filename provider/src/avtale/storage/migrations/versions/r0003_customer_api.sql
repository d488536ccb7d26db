CREATE TABLE customer_apis (
  tenant_id UUID NOT NULL,
  payment_provider_id BIGINT NOT NULL,
  clients JSONB NOT NULL,
  CONSTRAINT customer_apis_pk PRIMARY KEY (tenant_id)
);

CREATE TABLE additions (
  tenant_id UUID NOT NULL,
  transaction_id BIGINT NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  product_id VARCHAR(64) NOT NULL,
  landing TEXT NOT NULL,
  created_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  client_id TEXT,
  return_url TEXT,
  error_url TEXT,
  claimed_wall TIMESTAMP WITH TIME ZONE,
  agreement_id UUID,
  confirmation_url TEXT,
  confirm_until TIMESTAMP WITH TIME ZONE,
  result TEXT,
  CONSTRAINT additions_pk PRIMARY KEY (tenant_id, transaction_id),
  CONSTRAINT additions_tenant_id_landing_key UNIQUE (tenant_id, landing),
  CONSTRAINT additions_agreements_fk FOREIGN KEY(tenant_id, agreement_id) REFERENCES agreements (tenant_id, id),
  CONSTRAINT additions_bound_check CHECK ((client_id IS NULL) = (return_url IS NULL) AND (client_id IS NULL) = (error_url IS NULL)),
  CONSTRAINT additions_drafted_check CHECK ((agreement_id IS NULL) = (confirmation_url IS NULL) AND (agreement_id IS NULL) = (confirm_until IS NULL)),
  CONSTRAINT additions_result_check CHECK (result IN ('cancelled', 'failed', 'finished'))
);

CREATE TABLE turns (
  tenant_id UUID NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  next_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT turns_pk PRIMARY KEY (tenant_id, issuer, subject)
);

CREATE INDEX turns_tenant_id_next_wall_ix ON turns (tenant_id, next_wall);
