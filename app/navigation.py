"""The one list of pages: what each is called, where it lives, and which appear in the navigation.

A page is a module in `app/pages` with `PAGE = Page(…)`; `app.pages.discover()` fills the list.
This file knows no page by name and draws nothing (`app/parts/shell.html` does).
"""

from collections.abc import Callable
from dataclasses import dataclass

from studio.errors import StudioError

# Line icons on a 24 × 24 grid, drawn with the current colour; pages name one of them.
ICONS = {
    "home": "M4 11.5 12 4l8 7.5M6.5 9.5V20h11V9.5M10 20v-5.5h4V20",
    "guide": "M12 3v5M12 8c0 4-6 3-6 8v5M12 8c0 4 6 3 6 8v5M9 5.5 12 3l3 2.5",
    "use_cases": "M6 21V4M6 4.5h12l-3 4 3 4H6",
    "ladder": "M8 3v18M16 3v18M8 7h8M8 12h8M8 17h8",
    "datasets": (
        "M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3Z"
        "M4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3"
    ),
    "runs": "M3 12h4l3-8 4 16 3-8h4",
    "compare": "M3 19c5 0 6-12 18-13M3 12c6 0 9 6 18 6",
    "try": "M4 5h16v11H10l-5 4v-4H4V5ZM8 9.5h8M8 12.5h5",
    "prompts": "M4 5h16v10h-8l-4 4v-4H4V5ZM9 8.5 11.5 10 9 11.5M13 12h3",
    "evaluate": "M12 3a9 9 0 1 0 9 9M12 8a4 4 0 1 0 4 4M12 12l8-8M17 4h3v3",
    "review": "M8 5h12M8 12h12M8 19h12M3 5l1 1 2-2M3 12l1 1 2-2M3 19l1 1 2-2",
    "models": "m12 3 8 4.5v9L12 21l-8-4.5v-9L12 3Zm0 9 8-4.5M12 12 4 7.5M12 12v9",
    "techniques": "M5 4h6a2 2 0 0 1 2 2v14a2 2 0 0 0-2-2H5V4Zm14 0h-4a2 2 0 0 0-2 2v14a2 2 0 0 1 2-2h4V4Z",
    "workers": "M4 4h16v6H4V4Zm0 10h16v6H4v-6ZM8 7h.01M8 17h.01M12 7h4M12 17h4",
    "settings": "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
    "page": "M6 3h8l4 4v14H6V3Zm8 0v4h4",
}


@dataclass(frozen=True)
class Page:
    """One address. `build` is called inside a Gradio Blocks context and lays the page out.

    `order` places it in the navigation (lowest first; a gap is drawn where the hundreds change);
    `in_nav=False` keeps it out. `under` names the navigation entry to mark while a page that has no entry
    of its own is open: `/run` is under `/runs`.
    """

    path: str
    title: str
    build: Callable[[], None]
    icon: str = "page"
    order: int = 500
    in_nav: bool = True
    under: str = ""


PAGES: dict[str, Page] = {}


def register(page: Page) -> None:
    if page.icon not in ICONS:
        raise ValueError(f"{page.path} asks for the icon {page.icon!r}; there are {', '.join(ICONS)}")
    if PAGES.get(page.path, page) != page:
        raise ValueError(f"two pages claim the address {page.path}")
    PAGES[page.path] = page


def find(path: str) -> Page | None:
    return PAGES.get("/" + path.strip("/"))


def entries() -> list[Page]:
    """The pages of the navigation, in order."""
    shown = (page for page in PAGES.values() if page.in_nav)
    return sorted(shown, key=lambda page: (page.order, page.title))


def marked(path: str) -> str:
    """The address of the entry to mark as current while `path` is open."""
    page = find(path)
    return (page.under or page.path) if page else ""


def local(address: str) -> str:
    """`address` if it is a place in this studio, so that a redirect can never lead elsewhere."""
    if not address.startswith("/") or address[1:2] in ("/", "\\") or not address.isprintable():
        raise StudioError(
            "That address is not a page of this studio.", hint="Start again from the first page."
        )
    return address
