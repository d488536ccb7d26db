"""A stand-in for Vipps MobilePay, Stripe and an identity provider, on a clock that tests can turn."""
