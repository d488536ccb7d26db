"""The control room, `/_sandbox`: time, people, faults, the record, and what else a test commands."""
