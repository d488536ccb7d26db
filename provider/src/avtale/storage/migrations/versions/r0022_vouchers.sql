ALTER TABLE products
  ADD COLUMN vouchers JSONB DEFAULT '[]' NOT NULL;

ALTER TABLE agreements
  ADD COLUMN voucher VARCHAR(40);

CREATE INDEX agreements_voucher_ix ON agreements (tenant_id, voucher) WHERE voucher IS NOT NULL;
