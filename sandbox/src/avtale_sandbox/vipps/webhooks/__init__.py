"""Webhooks: who wants to be told of what, and telling them, signed, in order, until they have heard."""
