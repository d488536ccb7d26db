CREATE INDEX calls_unsent_ix ON calls (tenant_id, subject_id) WHERE send_wall IS NOT NULL;
