"""The demonstration: both houses as processes on one machine, with their data in one folder.

The only room of the provider that may start the sandbox.
"""
