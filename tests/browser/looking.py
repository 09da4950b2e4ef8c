"""How the browser tests read a page: is it complete, what do its charts hold, can everybody use it."""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, TimeoutError

COMPLETE = """() => document.querySelector("[data-live]")
  && !document.querySelector("[data-live][aria-busy=true], [data-charts] .skeleton")"""
PLOT = "document.querySelector('[data-metric=\"{metric}\"] .js-plotly-plot')"
FOCUSED = """() => {
  const { activeElement: element } = document;
  const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText;
  return (label ?? element.innerText ?? "").trim().replace(/\\s+/g, " ");
}"""
RUN_AXE = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter(({ impact }) => ["serious", "critical"].includes(impact))
  .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).slice(0, 3).join(" | ")}`)"""


def visit(page: Page, address: str) -> None:
    """Goes there and waits until every fragment has arrived."""
    page.goto(address)
    complete(page)


def complete(page: Page) -> None:
    page.wait_for_function(COMPLETE)


def traces(page: Page, metric: str = "loss") -> list[dict[str, Any]]:
    """What a chart draws: `{"name", "x", "y", "opacity"}` of every line; none before its first point."""
    return page.evaluate(
        f"() => ({PLOT.format(metric=metric)}?.data ?? [])"
        ".map(({ name, x, y, opacity }) => ({ name, x: [...x], y: [...y], opacity: opacity ?? 1 }))"
    )


def shown_range(page: Page, metric: str = "loss") -> list[float]:
    """The first and the last step of a chart's horizontal axis."""
    return page.evaluate(f"() => [...{PLOT.format(metric=metric)}._fullLayout.xaxis.range]")


def drawn_band(page: Page, metric: str) -> dict[str, Any]:
    """The healthy range as a chart draws it, and its vertical axis: `{"y0", "y1", "fill", "axis"}`."""
    return page.evaluate(
        f"() => (({{ _fullLayout: {{ shapes, yaxis }} }}) => (([{{ y0, y1, fillcolor }}]) => "
        f"({{ y0, y1, fill: fillcolor, axis: [...yaxis.range] }}))(shapes))({PLOT.format(metric=metric)})"
    )


def await_plot(page: Page, is_so: str, metric: str = "loss", arg: Any = None) -> None:
    """Waits until `is_so`, an expression over `plot` (null before there is one) and `arg`, holds."""
    plot = PLOT.format(metric=metric)
    page.wait_for_function(f"(arg) => ((plot) => plot?.data && ({is_so}))({plot})", arg=arg)


def await_redraws(page: Page, count: int, metric: str = "loss") -> None:
    """Waits until the chart has been drawn again so many times."""
    again = "plot.on('plotly_afterplot', () => redraws++)"
    page.evaluate(f"() => {{ window.redraws = 0; const plot = {PLOT.format(metric=metric)}; {again} }}")
    page.wait_for_function("(count) => redraws >= count", arg=count)


def fits(page: Page) -> bool:
    """Whether the page is no wider than the window, once its charts have taken on the new width."""
    narrow = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    try:
        page.wait_for_function(narrow, timeout=3000)
    except TimeoutError:
        return False
    return True


def inaccessible(page: Page) -> list[str]:
    """Serious and critical findings of axe-core, with the first elements they are about."""
    page.evaluate(axe())
    return page.evaluate(RUN_AXE)


@cache
def axe() -> str:
    return (Path(__file__).parent / "axe.min.js").read_text()


def focused(page: Page) -> str:
    """What a screen reader would call the element that has the keyboard: its label, or its words."""
    return page.evaluate(FOCUSED)


def tab_to(page: Page, words: str, most: int = 120) -> None:
    """Presses Tab, as somebody without a mouse does, until what begins with `words` has the keyboard."""
    seen = []
    for _ in range(most):
        page.keyboard.press("Tab")
        seen.append(focused(page))
        if seen[-1].startswith(words):
            return
    raise AssertionError(f"{most} × Tab do not lead to “{words}”, but to {seen}")
