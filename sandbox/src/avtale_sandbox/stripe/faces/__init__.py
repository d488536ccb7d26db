"""The operations of the API, one module a family: what each takes, and which engine does it."""
