"""An OpenID Connect issuer for the shoppers and operators of a demonstration or a test."""
