ALTER TABLE agreements
  ADD COLUMN gift_reason TEXT,
  ADD COLUMN access_ends_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN hidden_at TIMESTAMP WITH TIME ZONE,
  ADD CONSTRAINT agreements_gift_check CHECK (gift_reason IS NULL OR (gateway_agreement_id IS NULL AND price = 0));
