ALTER TABLE vipps_accounts
  ADD COLUMN charges_per_call_max INTEGER DEFAULT 1 NOT NULL,
  ADD CONSTRAINT vipps_accounts_charges_per_call_max_check CHECK (charges_per_call_max BETWEEN 1 AND 2000);

ALTER TABLE calls
  DROP CONSTRAINT calls_kind_check,
  ADD CONSTRAINT calls_kind_check CHECK (kind IN ('draft', 'charge', 'charge_batch', 'stop', 'refund', 'cancel', 'update', 'payment', 'payment_capture', 'payment_release', 'payment_refund', 'subscription'));

ALTER TABLE attempts ADD COLUMN batch_id UUID;

CREATE INDEX inbox_not_created_ix ON inbox (tenant_id, order_id)
  WHERE event_type = 'recurring.charge-creation-failed.v1';
