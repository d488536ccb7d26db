"""How people enter with a browser: sign-in at the tenant's identity provider, and the session that comes of it."""
