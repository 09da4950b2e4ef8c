"""Markdown that people or models wrote, as safe HTML. Images are dropped: they could call outside hosts."""

from functools import cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

TEXT = {"a", "b", "blockquote", "br", "code", "del", "em", "hr", "i", "p", "pre", "s", "strong", "sub", "sup"}
HEADS = {"h1", "h2", "h3", "h4", "h5", "h6"}
LISTS = {"li", "ol", "ul", "table", "tbody", "td", "th", "thead", "tr"}


@cache
def parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


def markdown(text: str) -> Markup:
    clean = nh3.clean(
        parser().render(text),
        tags=TEXT | HEADS | LISTS,
        attributes={"a": {"href"}, "th": {"align"}, "td": {"align"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(clean)
