"""The structure of each API: what is routed to which operation, and what a body must look like."""
