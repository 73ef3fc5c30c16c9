"""Accessibility checks with axe-core."""

from __future__ import annotations

from playwright.sync_api import Page

from e2e.cdn import NODE_MODULES

RUN = """async () => (await axe.run()).violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`)"""

# What fades in, or changes its colours with the scheme, has not got its contrast yet. A hidden page would wait for
# ever.
END_ANIMATIONS = """() => document.getAnimations()
  .filter(({ effect }) => Number.isFinite(effect.getComputedTiming().endTime))
  .forEach((animation) => animation.finish())"""


def expect_no_serious_violations(tab: Page) -> None:
    """Expect no violation with the impact serious or critical, in the light and the dark colour scheme."""
    if not tab.evaluate("'axe' in globalThis"):
        tab.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text("utf-8"))
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        tab.evaluate(END_ANIMATIONS)
        assert tab.evaluate(RUN) == [], scheme
