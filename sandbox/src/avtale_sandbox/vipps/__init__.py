"""Vipps MobilePay: its access tokens, recurring payments and webhooks, as the real host answers."""
