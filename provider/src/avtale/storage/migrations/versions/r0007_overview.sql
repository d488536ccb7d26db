CREATE INDEX ledger_tenant_id_booked_at_id_ix ON ledger (tenant_id, booked_at, id);
CREATE INDEX charges_unpaid_ix ON charges (tenant_id, due) WHERE status IN ('failed', 'open');
CREATE INDEX inbox_parked_ix ON inbox (tenant_id, received_at) WHERE status = 'parked';
