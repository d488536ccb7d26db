"""The customer API: people's Vipps agreements in the shapes of the outside system, and the way through a browser."""
