"""The rehearsal of a migration: an old business at the sandbox, its file, and what must have become of each row."""
