"""How stored objects are spelled on the wire, every member that Stripe's API version has, the empty ones too."""
