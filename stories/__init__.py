"""Tests and runs that need both houses: months of business in seconds, and the audit of both sides."""
