"""The decision guide over REST: answers in, a recommendation with its reasons out."""

from typing import Any

from fastapi import APIRouter

from studio import db, recommendations
from studio.guide import questions, rules
from studio.guide.rules import Recommendation

router = APIRouter(prefix="/api", tags=["guide"])


@router.post("/guide")
def recommend(answers: dict[str, Any]) -> Recommendation:
    """What to do with these answers (by the guide's field names; missing ones take its defaults) and why."""
    with db.reading() as session:
        return rules.recommend(questions.read_answers(answers), recommendations.guide(session))


@router.get("/guide/questions")
def list_questions() -> list[questions.GuideStep]:
    """The questions, in order, with their options."""
    return questions.list_steps()
