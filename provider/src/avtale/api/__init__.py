"""The HTTP faces for programs: payments, agreements, webhooks and health."""
