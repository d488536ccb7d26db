"""Vipps Recurring: agreements and charges, one truth (`model`) behind the faces that the versions of the API show."""
