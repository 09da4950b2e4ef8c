"""The pages: one module each, found by looking. A module without a `PAGE` is a helper of its neighbours."""

import pkgutil
from importlib import import_module

import app.toolkit  # noqa: F401  (first: pages import Gradio)
from app import navigation


def discover() -> list[navigation.Page]:
    """Import every page module and register its page; fragments register themselves on the way."""
    for found in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{found.name}")
        page = getattr(module, "PAGE", None)
        if page is not None:
            navigation.register(page)
    return list(navigation.PAGES.values())
