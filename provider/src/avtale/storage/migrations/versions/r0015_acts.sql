CREATE TABLE acts (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  act TEXT NOT NULL,
  subject TEXT NOT NULL,
  agreement_id UUID,
  actor_issuer TEXT NOT NULL,
  actor_subject TEXT NOT NULL,
  why TEXT NOT NULL,
  details JSONB NOT NULL,
  done_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT acts_pk PRIMARY KEY (tenant_id, id)
);

CREATE INDEX acts_tenant_id_agreement_id_ix ON acts (tenant_id, agreement_id);

CREATE INDEX agreements_newest_ix ON agreements (tenant_id, created_at, id);
