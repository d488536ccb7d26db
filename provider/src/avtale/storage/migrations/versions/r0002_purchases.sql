ALTER TABLE products
  ALTER COLUMN interval_unit DROP NOT NULL,
  ALTER COLUMN interval_count DROP NOT NULL,
  ALTER COLUMN agreement_url DROP NOT NULL,
  ADD COLUMN access_days SMALLINT,
  ADD CONSTRAINT products_form_check CHECK (
    num_nulls(interval_unit, interval_count, agreement_url) = CASE WHEN access_days IS NULL THEN 0 ELSE 3 END
  );

CREATE TABLE purchases (
  tenant_id UUID NOT NULL,
  id UUID NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  gateway TEXT NOT NULL,
  product_id VARCHAR(64) NOT NULL,
  product_name TEXT NOT NULL,
  product_description TEXT,
  price BIGINT NOT NULL,
  currency VARCHAR(3) NOT NULL,
  access_days SMALLINT NOT NULL,
  vat_basis_points INTEGER NOT NULL,
  status TEXT NOT NULL,
  confirmation_url TEXT,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  granted_at TIMESTAMP WITH TIME ZONE,
  end_reason TEXT,
  version BIGINT NOT NULL,
  CONSTRAINT purchases_pk PRIMARY KEY (tenant_id, id),
  CONSTRAINT purchases_status_check CHECK (
    status IN ('aborted', 'authorized', 'cancelled', 'expired', 'paid', 'pending', 'refused', 'releasing')
  ),
  CONSTRAINT purchases_granted_check CHECK (status NOT IN ('authorized', 'paid') OR granted_at IS NOT NULL)
);

CREATE INDEX purchases_person_ix ON purchases (tenant_id, issuer, subject, created_at);

ALTER TABLE charges
  ALTER COLUMN agreement_id DROP NOT NULL,
  ADD COLUMN purchase_id UUID,
  ADD CONSTRAINT charges_tenant_id_purchase_id_key UNIQUE (tenant_id, purchase_id),
  ADD CONSTRAINT charges_purchases_fk FOREIGN KEY (tenant_id, purchase_id) REFERENCES purchases (tenant_id, id),
  DROP CONSTRAINT charges_kind_check,
  ADD CONSTRAINT charges_kind_check CHECK (kind IN ('initial', 'purchase', 'recurring', 'stray')),
  DROP CONSTRAINT charges_period_check,
  ADD CONSTRAINT charges_period_check CHECK ((period IS NULL) = (kind IN ('purchase', 'stray'))),
  ADD CONSTRAINT charges_purchase_check CHECK ((purchase_id IS NULL) = (kind <> 'purchase')),
  ADD CONSTRAINT charges_one_owner_check CHECK (num_nonnulls(agreement_id, purchase_id) = 1);

ALTER TABLE attempts ALTER COLUMN gateway_agreement_id DROP NOT NULL;

ALTER TABLE calls
  DROP CONSTRAINT calls_kind_check,
  ADD CONSTRAINT calls_kind_check CHECK (
    kind IN (
      'draft', 'charge', 'stop', 'refund', 'payment', 'payment_capture', 'payment_release', 'payment_refund'
    )
  );

ALTER TABLE ledger
  ALTER COLUMN agreement_id DROP NOT NULL,
  ADD COLUMN purchase_id UUID,
  ADD CONSTRAINT ledger_one_owner_check CHECK (num_nonnulls(agreement_id, purchase_id) = 1);

ALTER TABLE receipts
  ALTER COLUMN agreement_id DROP NOT NULL,
  ADD COLUMN purchase_id UUID,
  ADD CONSTRAINT receipts_one_owner_check CHECK (num_nonnulls(agreement_id, purchase_id) = 1);

-- The owner of the tables is under their forced row-level security as well; it is forced again after every upgrade.
ALTER TABLE entitlements NO FORCE ROW LEVEL SECURITY;
ALTER TABLE entitlements
  DROP CONSTRAINT entitlements_pk,
  ALTER COLUMN agreement_id DROP NOT NULL,
  ADD COLUMN id UUID,
  ADD COLUMN purchase_id UUID;
UPDATE entitlements SET id = agreement_id;
ALTER TABLE entitlements
  ALTER COLUMN id SET NOT NULL,
  ADD CONSTRAINT entitlements_pk PRIMARY KEY (tenant_id, id),
  ADD CONSTRAINT entitlements_purchases_fk FOREIGN KEY (tenant_id, purchase_id) REFERENCES purchases (tenant_id, id),
  ADD CONSTRAINT entitlements_one_owner_check CHECK (num_nonnulls(agreement_id, purchase_id) = 1),
  ADD CONSTRAINT entitlements_id_check CHECK (id = coalesce(agreement_id, purchase_id));
