CREATE TABLE import_doors (
  tenant_id UUID NOT NULL,
  secret_digest BYTEA NOT NULL,
  admin_token BOOLEAN NOT NULL,
  calls_per_minute_max INTEGER NOT NULL,
  CONSTRAINT import_doors_pk PRIMARY KEY (tenant_id)
);

CREATE TABLE imports (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  dry_run BOOLEAN NOT NULL,
  product_id VARCHAR(64),
  requested_by TEXT NOT NULL,
  row_count BIGINT NOT NULL,
  facts JSONB NOT NULL,
  problem TEXT,
  created_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  touched_wall TIMESTAMP WITH TIME ZONE NOT NULL,
  checked_wall TIMESTAMP WITH TIME ZONE,
  work_wall TIMESTAMP WITH TIME ZONE,
  CONSTRAINT imports_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT imports_kind_check CHECK (
    kind IN (
      'agreements', 'dashboard_agreements', 'dashboard_charges', 'fix_agreements', 'fix_charges', 'recreate', 'special'
    )
  ),
  CONSTRAINT imports_status_check CHECK (
    status IN ('abandoned', 'applied', 'applying', 'checked', 'checking', 'receiving', 'undoing', 'undone')
  )
);
CREATE INDEX imports_work_ix ON imports (tenant_id, work_wall) WHERE work_wall IS NOT NULL;

CREATE TABLE import_rows (
  tenant_id UUID NOT NULL,
  import_id UUID NOT NULL,
  line INTEGER NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  row_id TEXT,
  code TEXT,
  reason TEXT,
  provider TEXT,
  gateway_agreement_id TEXT,
  issuer TEXT,
  subject TEXT,
  product_id TEXT,
  amount BIGINT,
  currency VARCHAR(3),
  said JSONB NOT NULL,
  found JSONB,
  misses INTEGER NOT NULL,
  agreement_id UUID,
  CONSTRAINT import_rows_pk PRIMARY KEY (tenant_id, import_id, line),
  CONSTRAINT import_rows_imports_fk FOREIGN KEY (tenant_id, import_id)
    REFERENCES imports (tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT import_rows_state_check CHECK (
    state IN ('already', 'applied', 'kept', 'read', 'ready', 'rejected', 'undone')
  )
);
CREATE INDEX import_rows_tenant_id_import_id_state_line_ix ON import_rows (tenant_id, import_id, state, line);
CREATE UNIQUE INDEX import_rows_done_key ON import_rows (tenant_id, kind, row_id) WHERE state = 'applied';
