"""The payment provider's operations, one module a tag."""
