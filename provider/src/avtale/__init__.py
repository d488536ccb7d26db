"""A payment provider for subscriptions and one-time purchases on Vipps MobilePay and Stripe."""

from importlib.metadata import version

__version__ = version("avtale")
