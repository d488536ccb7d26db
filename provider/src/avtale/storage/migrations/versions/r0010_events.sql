-- The owner of the tables is under their forced row-level security as well; it is forced again after every upgrade.
ALTER TABLE entitlements NO FORCE ROW LEVEL SECURITY;
ALTER TABLE entitlements ADD COLUMN ended BOOLEAN NOT NULL DEFAULT false;
UPDATE entitlements SET ended = true WHERE access_until <= now();
CREATE INDEX entitlements_ending_ix ON entitlements (tenant_id, access_until) WHERE NOT ended;

CREATE TABLE events (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  position BIGINT,
  type TEXT NOT NULL,
  owner_id UUID NOT NULL,
  agreement_id UUID,
  purchase_id UUID,
  agreement_seq BIGINT NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  product_id VARCHAR(64) NOT NULL,
  data JSONB NOT NULL,
  occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT events_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT events_tenant_id_owner_id_agreement_seq_key UNIQUE (tenant_id, owner_id, agreement_seq),
  CONSTRAINT events_tenant_id_position_key UNIQUE (tenant_id, position),
  CONSTRAINT events_one_owner_check CHECK (num_nonnulls(agreement_id, purchase_id) = 1),
  CONSTRAINT events_owner_check CHECK (owner_id = coalesce(agreement_id, purchase_id))
);

CREATE INDEX events_unnumbered_ix ON events (tenant_id, id) WHERE position IS NULL;

CREATE INDEX events_person_ix ON events (tenant_id, issuer, subject);

CREATE TABLE event_counters (
  tenant_id UUID NOT NULL,
  owner_id UUID NOT NULL,
  last_seq BIGINT NOT NULL,
  CONSTRAINT event_counters_pk PRIMARY KEY (tenant_id, owner_id)
);

CREATE TABLE event_streams (
  tenant_id UUID NOT NULL,
  last_position BIGINT NOT NULL,
  private_networks BOOLEAN NOT NULL DEFAULT false,
  CONSTRAINT event_streams_pk PRIMARY KEY (tenant_id)
);

CREATE TABLE event_endpoints (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  name VARCHAR(63),
  url TEXT NOT NULL,
  secret_sealed BYTEA NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  disabled_at TIMESTAMP WITH TIME ZONE,
  disabled_reason TEXT,
  CONSTRAINT event_endpoints_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT event_endpoints_tenant_id_name_key UNIQUE (tenant_id, name),
  CONSTRAINT event_endpoints_disabled_check CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);

CREATE TABLE event_lanes (
  tenant_id UUID NOT NULL,
  endpoint_id UUID NOT NULL,
  owner_id UUID NOT NULL,
  next_seq BIGINT NOT NULL,
  last_seq BIGINT NOT NULL,
  tries INTEGER NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE NOT NULL,
  leased_wall TIMESTAMP WITH TIME ZONE,
  last_error TEXT,
  CONSTRAINT event_lanes_pk PRIMARY KEY (tenant_id, endpoint_id, owner_id),
  CONSTRAINT event_lanes_event_endpoints_fk FOREIGN KEY (tenant_id, endpoint_id)
    REFERENCES event_endpoints (tenant_id, id)
);

CREATE INDEX event_lanes_tenant_id_due_at_ix ON event_lanes (tenant_id, due_at);
