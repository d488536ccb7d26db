"""One module for each revision; what has been released never changes."""
