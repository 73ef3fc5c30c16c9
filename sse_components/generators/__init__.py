"""Streams of an application's own sources."""
