"""Tags of runs: kept tidy, within bounds, carried over by a clone."""

from pathlib import Path

import pytest

from studio import db, events, runs, tags
from studio.errors import StudioError
from tests import made_runs


def test_tags_are_kept_once_each_without_needless_spaces() -> None:
    assert tags.cleaned([" pilot ,  two   words", "Pilot", ""]) == ["pilot", "two words"]


@pytest.mark.parametrize("given", ["x" * 41, ",".join(map(str, range(11)))])
def test_long_tags_and_too_many_are_refused(given: str) -> None:
    with pytest.raises(StudioError) as refused:
        tags.cleaned([given])
    assert refused.value.field == "tags"
    assert refused.value.hint


def test_tags_are_added_and_taken_away_and_the_trail_tells_who_did_it(database: Path) -> None:
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        first = made_runs.made(session, model, data, tags=["pilot"])
        second = made_runs.made(session, model, data)
        tags.change(session, [first.id, second.id], add=["night, big"], remove=["PILOT"], who="ada")
        assert first.tags == second.tags == ["night", "big"]
        told = [event for event in events.of(session, f"run:{first.id}") if event.what == "run tagged"]
        assert [(event.who, event.details["after"]) for event in told] == [("ada", ["night", "big"])]


def test_a_clone_has_the_tags_of_its_origin(database: Path) -> None:
    with db.transaction() as session:
        run = made_runs.made(session, made_runs.base(session), made_runs.version(session), tags=["pilot"])
        assert runs.config_of(run).tags == ["pilot"]
        assert runs.launch(session, runs.config_of(run)).tags == ["pilot"]
