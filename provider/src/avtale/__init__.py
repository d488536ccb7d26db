"""A payment provider for subscriptions and one-time purchases on Vipps MobilePay and Stripe."""
