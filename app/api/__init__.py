"""The REST API: one module a resource, found by looking; each exposes `router`. Documented at /docs."""

import pkgutil
from importlib import import_module

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    modules = (import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return [module.router for module in modules if hasattr(module, "router")]
