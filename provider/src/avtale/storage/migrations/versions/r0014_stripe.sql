CREATE TABLE stripe_accounts (
  tenant_id UUID NOT NULL,
  account_id TEXT NOT NULL,
  base_url TEXT NOT NULL,
  secret_key_sealed BYTEA NOT NULL,
  webhook_secrets_sealed BYTEA,
  publishable_key TEXT NOT NULL,
  livemode BOOLEAN NOT NULL,
  connected BOOLEAN NOT NULL,
  CONSTRAINT stripe_accounts_pk PRIMARY KEY (tenant_id)
);

CREATE TABLE stripe_routes (
  account_id TEXT NOT NULL,
  tenant_id UUID NOT NULL,
  CONSTRAINT stripe_routes_pk PRIMARY KEY (account_id),
  CONSTRAINT stripe_routes_tenants_fk FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);

CREATE TABLE stripe_customers (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  account_id TEXT NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  customer_id TEXT,
  CONSTRAINT stripe_customers_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT stripe_customers_tenant_id_account_id_issuer_subject_key UNIQUE (tenant_id, account_id, issuer, subject)
);

ALTER TABLE products ADD COLUMN stripe_price TEXT;

ALTER TABLE agreements
  ADD COLUMN gateway TEXT NOT NULL DEFAULT 'vipps',
  ADD CONSTRAINT agreements_gateway_check CHECK (gateway IN ('stripe', 'vipps')),
  ADD CONSTRAINT agreements_biller_check CHECK (gateway <> 'stripe' OR next_charge_at IS NULL);
ALTER TABLE agreements ALTER COLUMN gateway DROP DEFAULT;

ALTER TABLE drafts
  ADD COLUMN gateway TEXT NOT NULL DEFAULT 'vipps',
  ADD CONSTRAINT drafts_gateway_check CHECK (gateway IN ('stripe', 'vipps'));
ALTER TABLE drafts ALTER COLUMN gateway DROP DEFAULT;

ALTER TABLE attempts
  ADD COLUMN gateway TEXT NOT NULL DEFAULT 'vipps',
  ADD COLUMN gateway_order_id TEXT,
  ADD COLUMN gateway_payment_id TEXT,
  ADD CONSTRAINT attempts_gateway_check CHECK (gateway IN ('stripe', 'vipps'));
ALTER TABLE attempts ALTER COLUMN gateway DROP DEFAULT;
CREATE UNIQUE INDEX attempts_order_key ON attempts (tenant_id, gateway, gateway_order_id)
  WHERE gateway_order_id IS NOT NULL;
CREATE INDEX attempts_payment_ix ON attempts (tenant_id, gateway_payment_id) WHERE gateway_payment_id IS NOT NULL;

ALTER TABLE calls
  ADD COLUMN gateway TEXT NOT NULL DEFAULT 'vipps',
  ADD CONSTRAINT calls_gateway_check CHECK (gateway IN ('stripe', 'vipps')),
  DROP CONSTRAINT calls_kind_check,
  ADD CONSTRAINT calls_kind_check CHECK (
    kind IN (
      'draft', 'charge', 'stop', 'refund', 'cancel', 'update', 'payment', 'payment_capture', 'payment_release',
      'payment_refund', 'subscription'
    )
  );
ALTER TABLE calls ALTER COLUMN gateway DROP DEFAULT;

ALTER TABLE checks
  DROP CONSTRAINT checks_kind_check,
  ADD CONSTRAINT checks_kind_check CHECK (kind IN ('draft', 'attempt', 'events'));

ALTER TABLE inbox
  DROP CONSTRAINT inbox_status_check,
  ADD CONSTRAINT inbox_status_check CHECK (status IN ('new', 'done', 'parked', 'foreign'));
CREATE INDEX inbox_foreign_ix ON inbox (tenant_id, received_at) WHERE status = 'foreign';
