"""The techniques and adapters this studio has, with the schema of their settings."""

from typing import Any

from fastapi import APIRouter

from studio import adapters, techniques

router = APIRouter(prefix="/api", tags=["techniques"])


@router.get("/techniques")
def listed() -> list[dict[str, Any]]:
    return [summary(technique) for technique in techniques.all()]


@router.get("/techniques/{name}")
def show(name: str) -> dict[str, Any]:
    """One technique: what it is for, its handbook page and its settings as JSON schema."""
    technique = techniques.get(name)
    return summary(technique) | {
        "summary": technique.summary,
        "handbook": technique.handbook,
        "parameters": technique.parameters.model_json_schema(),
    }


@router.get("/adapters")
def list_adapters() -> list[dict[str, Any]]:
    return [
        {
            "name": a.name,
            "title": a.title,
            "summary": a.summary,
            "parameters": a.parameters.model_json_schema(),
        }
        for a in adapters.all()
    ]


def summary(technique: techniques.Technique) -> dict[str, Any]:
    return {
        "name": technique.name,
        "title": technique.title,
        "group": technique.group,
        "phase": technique.phase,
        "shape": technique.shapes[0],
        "shapes": list(technique.shapes),
    }
