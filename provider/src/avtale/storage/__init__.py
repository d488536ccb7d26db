"""Everything kept in PostgreSQL, and the only place that speaks SQL."""
