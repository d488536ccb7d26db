"""The fleet: which job runs which use case, and in what rhythm."""
