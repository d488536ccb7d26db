"""The customer's telephone in a browser: approve, reject, stop, change the limit."""
