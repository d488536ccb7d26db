"""Moving a living business in: files that are read and reported first, then applied, and that can be taken back."""
