"""Vipps Login: an OpenID Connect provider at which merchants let people sign in."""
