"""Finding runs by words and by the value of a setting."""

from pathlib import Path

import pytest

from studio import comparison, db
from tests import made_runs


@pytest.mark.parametrize(
    ("search", "is_found"),
    [
        ("", True),
        ("night STARTER", True),
        ("night other", False),
        ("pilot", True),
        ("tag:pilot", True),
        ("tag:two_words", True),
        ("tag:pil", False),
        ("learning_rate:1e-3", True),
        ("learning_rate:0.01", False),
        ("lora.r:16", True),
        ("technique:sft", True),
        ("sweep:3", False),
        ("ratio:3", True),  # nothing is called so: the words are looked for as they are
    ],
)
def test_every_word_of_a_search_must_hold(database: Path, search: str, is_found: bool) -> None:
    with db.transaction() as session:
        run = made_runs.made(
            session,
            made_runs.base(session),
            made_runs.version(session),
            name="night run, ratio:3",
            parameters={"learning_rate": 0.001},
            adapter_parameters={"r": 16},
            tags=["pilot", "two words"],
        )
        assert comparison.is_wanted(run, search) is is_found
