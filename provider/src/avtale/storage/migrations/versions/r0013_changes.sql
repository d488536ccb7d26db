ALTER TABLE tenants ADD COLUMN policy JSONB NOT NULL DEFAULT '{}';

ALTER TABLE agreements
  ADD COLUMN bridge_start DATE,
  ADD COLUMN paused_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN paused_from DATE,
  ADD COLUMN resumes_on DATE,
  DROP CONSTRAINT agreements_variable_check,
  ADD CONSTRAINT agreements_limit_check CHECK (suggested_max IS NOT NULL OR limit_amount IS NULL),
  ADD CONSTRAINT agreements_paused_check CHECK (
    (paused_at IS NULL) = (paused_from IS NULL) AND (paused_at IS NOT NULL OR resumes_on IS NULL)
  );

ALTER TABLE charges
  ADD COLUMN product_id VARCHAR(64),
  ADD COLUMN product_name TEXT;

ALTER TABLE calls
  DROP CONSTRAINT calls_kind_check,
  ADD CONSTRAINT calls_kind_check CHECK (
    kind IN (
      'draft', 'charge', 'stop', 'refund', 'cancel', 'update',
      'payment', 'payment_capture', 'payment_release', 'payment_refund'
    )
  );

CREATE TABLE agreement_changes (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  agreement_id UUID NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  version INTEGER NOT NULL,
  requested_by TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  day DATE,
  amount BIGINT,
  charge_day SMALLINT,
  product_id VARCHAR(64),
  noticed_on DATE,
  from_period INTEGER,
  takes_effect DATE,
  deferred BOOLEAN NOT NULL,
  done_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT agreement_changes_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT agreement_changes_tenant_id_agreement_id_version_key UNIQUE (tenant_id, agreement_id, version),
  CONSTRAINT agreement_changes_agreements_fk FOREIGN KEY (tenant_id, agreement_id)
    REFERENCES agreements (tenant_id, id),
  CONSTRAINT agreement_changes_kind_check CHECK (kind IN ('charge_day', 'pause', 'plan', 'price', 'resume')),
  CONSTRAINT agreement_changes_status_check CHECK (status IN ('done', 'dropped', 'planned', 'waiting'))
);

CREATE INDEX agreement_changes_open_ix ON agreement_changes (tenant_id, agreement_id, status)
  WHERE status IN ('planned', 'waiting');
