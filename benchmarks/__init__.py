"""What `make bench` measures: the sandbox, beside other ways to stand in for an API."""
