"""The Stripe gateway, and the only place that knows the Stripe SDK."""
