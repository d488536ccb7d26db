"""Web pages for people: the demo shop with its receipts, and what an operator wants to see first."""
