"""The use cases, one verb a function, written against the domain's ports."""
