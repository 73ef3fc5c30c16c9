"""The page of `embedded`, in an application that other sites show in frames."""

from __future__ import annotations

from functools import partial

from e2e.pages import embedded

make_app = partial(embedded.make_app, same_site="none")
