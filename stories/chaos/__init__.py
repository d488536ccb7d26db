"""The chaos run: half a year of business while everything around it fails, and then both books must agree."""
