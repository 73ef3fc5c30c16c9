"""FT components: CapitalCase functions that return FT, take positional children, and pass `**kwargs` to the tag."""

from __future__ import annotations

from .element import SSE

__all__ = ["SSE"]
