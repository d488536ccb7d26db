"""The web pages for people: operators, receipts and the demo shop."""
