"""The kit's routes."""
