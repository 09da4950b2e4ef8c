"""What an hour of a device costs."""

from fastapi import APIRouter, Request

from app.people import who
from studio import db, prices
from studio.prices import Prices

router = APIRouter(prefix="/api", tags=["settings"])


@router.get("/prices")
def show() -> Prices:
    with db.reading() as session:
        return prices.get(session)


@router.put("/prices")
def keep(given: Prices, request: Request) -> Prices:
    """Sets the prices by which the cost of runs is estimated."""
    with db.transaction() as session:
        prices.put(session, given, who(request))
    return given
