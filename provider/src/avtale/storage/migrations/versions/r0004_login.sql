CREATE TABLE vipps_logins (
  tenant_id UUID NOT NULL,
  scope TEXT NOT NULL,
  redirect_uris JSONB NOT NULL,
  CONSTRAINT vipps_logins_pk PRIMARY KEY (tenant_id)
);

CREATE TABLE entitlement_objects (
  tenant_id UUID NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT entitlement_objects_pk PRIMARY KEY (tenant_id, issuer, subject)
);
