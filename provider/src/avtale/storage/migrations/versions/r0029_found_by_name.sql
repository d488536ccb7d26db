CREATE INDEX additions_person_ix ON additions (tenant_id, issuer, subject);

CREATE INDEX stripe_customers_person_ix ON stripe_customers (tenant_id, issuer, subject);
