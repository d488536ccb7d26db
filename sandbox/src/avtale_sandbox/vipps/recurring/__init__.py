"""Vipps Recurring: agreements and charges, one truth (`model`) behind the faces of the API's versions."""
