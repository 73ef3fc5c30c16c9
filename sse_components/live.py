"""What a manager offers for the components: their server side, one method each."""

from __future__ import annotations


class Live:
    """The part of a manager that knows the components; whoever inherits it publishes as `Publisher` says."""

    # ------------------------------------------------------------------ components
