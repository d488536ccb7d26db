CREATE TABLE agreements (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  product_id VARCHAR(64) NOT NULL,
  product_name TEXT NOT NULL,
  product_description TEXT,
  price BIGINT NOT NULL,
  currency VARCHAR(3) NOT NULL,
  interval_unit TEXT NOT NULL,
  interval_count SMALLINT NOT NULL,
  vat_basis_points INTEGER NOT NULL,
  agreement_url TEXT NOT NULL,
  status TEXT NOT NULL,
  gateway_agreement_id TEXT,
  anchor DATE,
  last_period INTEGER NOT NULL,
  next_charge_at TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE,
  activated_at TIMESTAMP WITH TIME ZONE,
  stopped_at TIMESTAMP WITH TIME ZONE,
  stop_reason TEXT,
  parked_reason TEXT,
  version BIGINT NOT NULL,
  CONSTRAINT agreements_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT agreements_tenant_id_gateway_agreement_id_key UNIQUE (tenant_id, gateway_agreement_id),
  CONSTRAINT agreements_status_check CHECK (status IN ('active', 'expired', 'pending', 'rejected', 'stopped', 'stopping')),
  CONSTRAINT agreements_anchor_check CHECK (status NOT IN ('active', 'stopping') OR anchor IS NOT NULL)
);

CREATE INDEX agreements_due_ix ON agreements (tenant_id, next_charge_at, id) WHERE next_charge_at IS NOT NULL AND parked_reason IS NULL;

CREATE UNIQUE INDEX agreements_one_active_key ON agreements (tenant_id, issuer, subject, product_id) WHERE status = 'active';

CREATE INDEX agreements_person_ix ON agreements (tenant_id, issuer, subject, created_at);

CREATE TABLE business_clock (
  id SMALLSERIAL NOT NULL CONSTRAINT business_clock_single_check CHECK (id = 1),
  at TIMESTAMP WITH TIME ZONE NOT NULL,
  running BOOLEAN NOT NULL,
  set_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT business_clock_pk PRIMARY KEY (id)
);

CREATE TABLE calls (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  kind TEXT NOT NULL,
  subject_id UUID NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  body BYTEA NOT NULL,
  status TEXT NOT NULL,
  sends INTEGER NOT NULL,
  written_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  send_wall TIMESTAMP WITH TIME ZONE,
  answer TEXT,
  CONSTRAINT calls_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT calls_kind_check CHECK (kind IN ('draft', 'charge', 'stop', 'refund')),
  CONSTRAINT calls_status_check CHECK (status IN ('written', 'unknown', 'accepted', 'rejected'))
);

CREATE INDEX calls_unsent_ix ON calls (tenant_id, send_wall) WHERE send_wall IS NOT NULL;

CREATE TABLE checks (
  tenant_id UUID NOT NULL,
  kind TEXT NOT NULL,
  id UUID NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE NOT NULL,
  seq BIGINT NOT NULL,
  misses INTEGER NOT NULL,
  leased_wall TIMESTAMP WITH TIME ZONE,
  CONSTRAINT checks_pk PRIMARY KEY (tenant_id, kind, id),
  CONSTRAINT checks_kind_check CHECK (kind IN ('draft', 'attempt'))
);

CREATE INDEX checks_tenant_id_due_at_ix ON checks (tenant_id, due_at);

CREATE TABLE due_tenants (
  tenant_id UUID NOT NULL,
  job TEXT NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT due_tenants_pk PRIMARY KEY (tenant_id, job)
);

CREATE INDEX due_tenants_job_due_at_ix ON due_tenants (job, due_at);

CREATE TABLE idempotency_keys (
  tenant_id UUID NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  operation TEXT NOT NULL,
  key VARCHAR(255) NOT NULL,
  request_digest BYTEA NOT NULL,
  resource_id UUID NOT NULL,
  created_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT idempotency_keys_pk PRIMARY KEY (tenant_id, issuer, subject, operation, key)
);

CREATE TABLE identity_issuers (
  tenant_id UUID NOT NULL,
  issuer TEXT NOT NULL,
  audience TEXT NOT NULL,
  jwks_url TEXT,
  subject_claim TEXT NOT NULL,
  roles_claim TEXT NOT NULL,
  admin_role TEXT NOT NULL,
  CONSTRAINT identity_issuers_pk PRIMARY KEY (tenant_id, issuer)
);

CREATE TABLE inbox (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  gateway TEXT NOT NULL,
  key TEXT NOT NULL,
  event_type TEXT NOT NULL,
  gateway_agreement_id TEXT,
  external_id TEXT,
  order_id TEXT,
  body BYTEA NOT NULL,
  status TEXT NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT inbox_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT inbox_tenant_id_gateway_key_key UNIQUE (tenant_id, gateway, key),
  CONSTRAINT inbox_status_check CHECK (status IN ('new', 'done', 'parked'))
);

CREATE INDEX inbox_new_ix ON inbox (tenant_id, id) WHERE status = 'new';

CREATE TABLE organizations (
  id UUID NOT NULL,
  name VARCHAR(63) NOT NULL,
  CONSTRAINT organizations_pk PRIMARY KEY (id),
  CONSTRAINT organizations_name_key UNIQUE (name)
);

CREATE TABLE products (
  tenant_id UUID NOT NULL,
  id VARCHAR(64) NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  price BIGINT NOT NULL,
  currency VARCHAR(3) NOT NULL,
  interval_unit TEXT NOT NULL,
  interval_count SMALLINT NOT NULL,
  vat_basis_points INTEGER NOT NULL,
  agreement_url TEXT NOT NULL,
  on_sale BOOLEAN NOT NULL,
  CONSTRAINT products_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT products_price_check CHECK (price >= 0),
  CONSTRAINT products_interval_unit_check CHECK (interval_unit IN ('day', 'month', 'week', 'year'))
);

CREATE TABLE receipt_counters (
  tenant_id UUID NOT NULL,
  seller TEXT NOT NULL,
  kind TEXT NOT NULL,
  last_number BIGINT NOT NULL,
  CONSTRAINT receipt_counters_pk PRIMARY KEY (tenant_id, seller, kind)
);

CREATE TABLE vipps_accounts (
  tenant_id UUID NOT NULL,
  base_url TEXT NOT NULL,
  client_id TEXT NOT NULL,
  client_secret_sealed BYTEA NOT NULL,
  subscription_key_sealed BYTEA NOT NULL,
  merchant_serial_number TEXT NOT NULL,
  CONSTRAINT vipps_accounts_pk PRIMARY KEY (tenant_id)
);

CREATE TABLE webhook_registrations (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  gateway TEXT NOT NULL,
  url TEXT NOT NULL,
  status TEXT NOT NULL,
  gateway_webhook_id TEXT,
  secret_sealed BYTEA,
  created_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  retired_wall TIMESTAMP WITH TIME ZONE,
  CONSTRAINT webhook_registrations_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT webhook_registrations_status_check CHECK (status IN ('intent', 'active', 'retired')),
  CONSTRAINT webhook_registrations_secret_check CHECK ((status = 'intent') = (secret_sealed IS NULL))
);

CREATE TABLE charges (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  agreement_id UUID NOT NULL,
  kind TEXT NOT NULL,
  period INTEGER,
  period_start DATE NOT NULL,
  period_end DATE NOT NULL,
  due DATE NOT NULL,
  price BIGINT NOT NULL,
  currency VARCHAR(3) NOT NULL,
  vat_basis_points INTEGER NOT NULL,
  status TEXT NOT NULL,
  captured BIGINT NOT NULL,
  refunded BIGINT NOT NULL,
  cancelled BIGINT NOT NULL,
  failure_reason TEXT,
  parked_reason TEXT,
  replan_at TIMESTAMP WITH TIME ZONE,
  version BIGINT NOT NULL,
  CONSTRAINT charges_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT charges_tenant_id_agreement_id_period_key UNIQUE (tenant_id, agreement_id, period),
  CONSTRAINT charges_agreements_fk FOREIGN KEY(tenant_id, agreement_id) REFERENCES agreements (tenant_id, id),
  CONSTRAINT charges_status_check CHECK (status IN ('cancelled', 'failed', 'open', 'paid', 'partially_refunded', 'refunded', 'waived')),
  CONSTRAINT charges_kind_check CHECK (kind IN ('initial', 'recurring', 'stray')),
  CONSTRAINT charges_refunded_check CHECK (refunded <= captured AND refunded >= 0),
  CONSTRAINT charges_period_check CHECK ((period IS NULL) = (kind = 'stray'))
);

CREATE INDEX charges_replan_ix ON charges (tenant_id, replan_at) WHERE replan_at IS NOT NULL;

CREATE TABLE drafts (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  agreement_id UUID NOT NULL,
  order_id UUID NOT NULL,
  status TEXT NOT NULL,
  gateway_agreement_id TEXT,
  confirmation_url TEXT,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT drafts_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT drafts_agreements_fk FOREIGN KEY(tenant_id, agreement_id) REFERENCES agreements (tenant_id, id),
  CONSTRAINT drafts_tenant_id_gateway_agreement_id_key UNIQUE (tenant_id, gateway_agreement_id),
  CONSTRAINT drafts_status_check CHECK (status IN ('written', 'drafted', 'unknown', 'refused', 'won', 'lost', 'rejected', 'dead'))
);

CREATE INDEX drafts_tenant_id_agreement_id_ix ON drafts (tenant_id, agreement_id);

CREATE INDEX drafts_tenant_id_order_id_ix ON drafts (tenant_id, order_id);

CREATE TABLE entitlements (
  tenant_id UUID NOT NULL,
  agreement_id UUID NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  product_id VARCHAR(64) NOT NULL,
  access_until TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT entitlements_pk PRIMARY KEY (tenant_id, agreement_id),
  CONSTRAINT entitlements_agreements_fk FOREIGN KEY(tenant_id, agreement_id) REFERENCES agreements (tenant_id, id)
);

CREATE INDEX entitlements_person_ix ON entitlements (tenant_id, issuer, subject);

CREATE TABLE tenants (
  tenant_id UUID NOT NULL,
  organization_id UUID NOT NULL,
  name VARCHAR(63) NOT NULL,
  public_url TEXT NOT NULL,
  zone TEXT NOT NULL,
  environment TEXT NOT NULL,
  grace_days INTEGER NOT NULL,
  charge_lead_days INTEGER NOT NULL,
  retry_days INTEGER NOT NULL,
  seller JSONB NOT NULL,
  CONSTRAINT tenants_pk PRIMARY KEY (tenant_id),
  CONSTRAINT tenants_organizations_fk FOREIGN KEY(organization_id) REFERENCES organizations (id),
  CONSTRAINT tenants_organization_id_name_key UNIQUE (organization_id, name),
  CONSTRAINT tenants_environment_check CHECK (environment IN ('test', 'production'))
);

CREATE TABLE attempts (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  charge_id UUID NOT NULL,
  gateway_agreement_id TEXT NOT NULL,
  status TEXT NOT NULL,
  captured BIGINT NOT NULL,
  refunded BIGINT NOT NULL,
  cancelled BIGINT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT attempts_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT attempts_charges_fk FOREIGN KEY(tenant_id, charge_id) REFERENCES charges (tenant_id, id),
  CONSTRAINT attempts_status_check CHECK (status IN ('accepted', 'cancelled', 'captured', 'failed', 'rejected', 'unknown', 'written')),
  CONSTRAINT attempts_refunded_check CHECK (refunded <= captured AND refunded >= 0)
);

CREATE UNIQUE INDEX attempts_one_open_key ON attempts (tenant_id, charge_id) WHERE status IN ('accepted', 'unknown', 'written');

CREATE INDEX attempts_tenant_id_charge_id_ix ON attempts (tenant_id, charge_id);

CREATE TABLE tenant_hosts (
  host TEXT NOT NULL,
  tenant_id UUID NOT NULL,
  CONSTRAINT tenant_hosts_pk PRIMARY KEY (host),
  CONSTRAINT tenant_hosts_tenants_fk FOREIGN KEY(tenant_id) REFERENCES tenants (tenant_id)
);

CREATE TABLE ledger (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  agreement_id UUID NOT NULL,
  charge_id UUID NOT NULL,
  attempt_id UUID NOT NULL,
  refund_id UUID,
  kind TEXT NOT NULL,
  amount BIGINT NOT NULL,
  currency VARCHAR(3) NOT NULL,
  booked_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT ledger_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT ledger_attempts_fk FOREIGN KEY(tenant_id, attempt_id) REFERENCES attempts (tenant_id, id),
  CONSTRAINT ledger_kind_check CHECK (kind IN ('capture', 'refund')),
  CONSTRAINT ledger_amount_check CHECK (amount > 0)
);

CREATE INDEX ledger_tenant_id_charge_id_ix ON ledger (tenant_id, charge_id);

CREATE TABLE refunds (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  charge_id UUID NOT NULL,
  attempt_id UUID NOT NULL,
  amount BIGINT NOT NULL,
  reason TEXT NOT NULL,
  status TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT refunds_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT refunds_attempts_fk FOREIGN KEY(tenant_id, attempt_id) REFERENCES attempts (tenant_id, id),
  CONSTRAINT refunds_charges_fk FOREIGN KEY(tenant_id, charge_id) REFERENCES charges (tenant_id, id),
  CONSTRAINT refunds_amount_check CHECK (amount > 0),
  CONSTRAINT refunds_status_check CHECK (status IN ('accepted', 'rejected', 'unknown', 'written'))
);

CREATE INDEX refunds_tenant_id_charge_id_ix ON refunds (tenant_id, charge_id);

CREATE TABLE receipts (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  seller TEXT NOT NULL,
  kind TEXT NOT NULL,
  number BIGINT NOT NULL,
  ledger_id UUID NOT NULL,
  corrects_id UUID,
  agreement_id UUID NOT NULL,
  charge_id UUID NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  gross BIGINT NOT NULL,
  vat BIGINT NOT NULL,
  vat_basis_points INTEGER NOT NULL,
  currency VARCHAR(3) NOT NULL,
  content JSONB NOT NULL,
  issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT receipts_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT receipts_tenant_id_seller_kind_number_key UNIQUE (tenant_id, seller, kind, number),
  CONSTRAINT receipts_ledger_fk FOREIGN KEY(tenant_id, ledger_id) REFERENCES ledger (tenant_id, id),
  CONSTRAINT receipts_kind_check CHECK (kind IN ('credit_note', 'receipt')),
  CONSTRAINT receipts_corrects_check CHECK ((corrects_id IS NULL) = (kind = 'receipt'))
);

CREATE INDEX receipts_person_ix ON receipts (tenant_id, issuer, subject, issued_at);

CREATE INDEX receipts_tenant_id_charge_id_ix ON receipts (tenant_id, charge_id);
