CREATE INDEX calls_counted_ix ON calls (tenant_id, send_wall)
  WHERE send_wall IS NOT NULL AND kind IN ('charge', 'charge_batch') AND gateway = 'vipps';

CREATE INDEX calls_uncounted_ix ON calls (tenant_id, send_wall)
  WHERE send_wall IS NOT NULL AND NOT (kind IN ('charge', 'charge_batch') AND gateway = 'vipps');

DROP INDEX calls_unsent_ix;
