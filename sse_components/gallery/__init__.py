"""The gallery: a FastHTML app on real input, each example beside its own source."""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
