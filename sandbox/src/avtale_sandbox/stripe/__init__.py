"""Plays Stripe, as far as a subscription business uses it, below `/stripe/v1`."""
