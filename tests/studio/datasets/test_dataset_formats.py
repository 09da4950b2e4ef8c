"""Formats, columns and shapes: what is recognised, and that no row whatever makes them fall over."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio import techniques
from studio.datasets import canonical, columns, formats, inspection, shapes
from studio.datasets.formats import FORMATS, RowError
from studio.datasets.shapes import SHAPES
from studio.datasets.view import View
from studio.errors import StudioError

SAMPLES = Path(__file__).parents[2] / "samples"
LEARN_FROM_PAIRS = {"dpo", "ipo", "orpo", "kto", "simpo", "relative_po", "iterative_rpo", "reward_model"}
LEARN_FROM_GRADERS = {"ppo", "rloo", "grpo", "dr_grpo", "dapo", "gspo"}
OTHERS = {"sft", "cpt", "distillation", "feature_classifier", "embedding"}
TECHNIQUES = LEARN_FROM_PAIRS | LEARN_FROM_GRADERS | OTHERS
# The same examples every time: a failure in one run is a failure in all. `tmp_path` may be reused by them.
quick = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "from", "value", "text", "parts", "name", "function"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


def refused(work: Callable[[], Any], error: type[Exception]) -> Any:
    """What the work returns, or the error of this kind that it raises; any other error fails the test."""
    try:
        return work()
    except error as problem:
        return problem


def sample_rows() -> list[tuple[str, dict]]:
    found = []
    for path in SAMPLES.glob("*/*.jsonl"):
        for line in path.read_text("utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict):
                found.append((path.parent.name, row))
    return found


ROWS = sample_rows()


def damaged(row: dict, draw: st.DataObject) -> dict:
    """The row with one value, anywhere in it, replaced by junk or removed."""
    row = json.loads(json.dumps(row))
    place = row
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return row
        key = draw.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and draw.draw(st.booleans()):
            place = place[key]
            continue
        if draw.draw(st.booleans()):
            place[key] = draw.draw(junk)
        else:
            del place[key]
        return row


@settings(quick, max_examples=600)
@given(data=st.data())
def test_a_damaged_row_is_normalised_or_refused_with_a_reason(data: st.DataObject):
    name, row = data.draw(st.sampled_from(ROWS))
    row = damaged(row, data)
    tried = [(FORMATS.get(match.format), match.shape) for match in formats.matches([row])]
    own = FORMATS.get(name)
    for form, shape_name in [*tried, *((own, shape_name) for shape_name in own.shapes)]:
        made = refused(lambda form=form, name=shape_name: form.normalise(row, name), RowError)  # type: ignore[misc]
        if isinstance(made, RowError):
            assert str(made)
        else:
            assert set(shapes.get(shape_name).required) <= made.keys()
            with contextlib.suppress(TypeError):  # what cannot be encoded never reaches a check
                View(1, orjson.loads(canonical.encode(made)), shapes.get(shape_name))


@quick
@given(rows=st.lists(st.dictionaries(st.text(max_size=6), junk, max_size=4), min_size=1, max_size=5))
def test_any_rows_give_a_report_or_a_plain_error(rows: list[dict], tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in (None, *(form.name for form in FORMATS.all())):
        report = refused(lambda name=name: inspection.inspect(path, format=name), StudioError)  # type: ignore[misc]
        if isinstance(report, StudioError):
            assert report.hint
        else:
            assert report.rows + report.bad_row_count == len(rows)
            json.loads(report.model_dump_json())


@settings(quick, max_examples=200)
@given(data=st.data())
def test_damaged_files_are_inspected_to_the_end(data: st.DataObject, tmp_path: Path):
    drawn = [data.draw(st.sampled_from(ROWS))[1] for _ in range(3)]
    rows = [damaged(row, data) for row in drawn]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = refused(lambda: inspection.inspect(path), StudioError)
    assert report.hint if isinstance(report, StudioError) else report.rows + report.bad_row_count == 3


def test_the_why_names_the_keys_seen():
    match = formats.detect([{"messages": [{"role": "user", "content": "Hi"}]}] * 3)
    assert match
    assert match.why == "All of the first 3 rows have “messages” with “role” and “content”."


def test_a_specific_format_wins_over_a_general_one_that_fits_as_well():
    row = {"messages": [{"role": "user", "content": "2+2?"}], "reference_answer": "4"}
    match = formats.detect([row] * 9 + [{"messages": row["messages"]}])
    assert match
    assert match.format == "rft"


def test_a_format_that_fits_few_rows_loses_to_one_that_fits_all():
    chat = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
    prompt = {"messages": chat["messages"][:1], "reference_answer": "4"}
    match = formats.detect([chat] * 8 + [prompt] * 2)
    assert match
    assert match.format == "openai_chat"


def test_the_user_may_choose_the_format(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "Hi"}], "answer": "x"}\n' * 2)
    assert inspection.inspect(path).shape == "prompt"
    assert inspection.inspect(path, format="openai_chat").shape == "chat"


@pytest.mark.parametrize("shape", SHAPES.values(), ids=lambda shape: shape.name)
def test_the_example_of_a_shape_is_understood_as_that_shape(shape: shapes.Shape, tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(shape.example) + "\n")
    report = inspection.inspect(path)
    assert report.shape == shape.name
    assert report.preview == [shape.example]
    assert set(report.fits) <= TECHNIQUES


def test_every_shape_feeds_a_technique_and_every_technique_is_fed():
    fed = {shape for technique in techniques.all() for shape in technique.shapes}
    assert fed == set(SHAPES)
    assert {technique.name for technique in techniques.all()} == TECHNIQUES


def test_columns_are_suggested_by_likeness_and_by_other_names():
    assert columns.suggest(["Frage", "antwort", "id"], "instruction") == {
        "prompt": "Frage",
        "completion": "antwort",
    }
    assert columns.suggest(["user_question", "chosen_answer", "rejected_answer"], "preference") == {
        "prompt": "user_question",
        "chosen": "chosen_answer",
        "rejected": "rejected_answer",
    }
    assert columns.suggest(["a", "b"], "instruction") == {}


def test_a_mapped_column_that_is_missing_is_named(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("frage,antwort\nWer?,Ich\n")
    with pytest.raises(StudioError, match="no column “fragen”") as caught:
        inspection.inspect(path, columns={"prompt": "fragen", "completion": "antwort"})
    assert "frage, antwort" in caught.value.hint


def test_a_first_look_names_columns_and_candidates(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("frage,antwort\nWer?,Ich\n")
    look = inspection.peek(path)
    assert look.columns == ["frage", "antwort"]
    assert look.first == [{"frage": "Wer?", "antwort": "Ich"}]
    assert look.format is None


def test_texts_become_messages_where_the_first_rows_have_messages(tmp_path: Path):
    report = inspection.inspect(SAMPLES / "prompt_completion" / "messages.jsonl")
    assert report.conversational
    assert report.preview[1] == {
        "prompt": [{"role": "user", "content": "Bye"}],
        "completion": [{"role": "assistant", "content": "Ciao"}],
    }


def test_messages_written_as_json_in_a_table_become_messages(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text(
        'messages\n"[{""role"":""user"",""content"":""Hi""},{""role"":""assistant"",""content"":""Yo""}]"\n'
    )
    report = inspection.inspect(path)
    assert (report.format, report.rows) == ("openai_chat", 1)


def test_an_answer_that_is_json_stays_text(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text('prompt,completion\nHi,"{""dose"": 1}"\nBye,"[1, 2]"\n')
    report = inspection.inspect(path)
    assert [row["completion"] for row in report.preview] == ['{"dose": 1}', "[1, 2]"]
