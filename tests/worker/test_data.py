"""Rows become what a trainer reads, and prompts for samples."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from studio import rows
from studio.errors import StudioError
from studio.rows import CONVERTERS
from worker import data
from worker.order import DataOrder

USER, ASSISTANT = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}


def order(folder: Path, shape: str, rows: list[dict[str, Any]]) -> DataOrder:
    path = folder / f"{shape}.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return DataOrder(path=path, shape=shape, title=shape)


@pytest.mark.parametrize(
    ("shape", "row", "columns"),
    [
        ("chat", {"messages": [USER, ASSISTANT], "meta": {"id": 1}}, {"messages"}),
        ("instruction", {"prompt": "q", "completion": "a", "meta": {}}, {"prompt", "completion"}),
        (
            "preference",
            {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [USER]},
            {"prompt", "completion"},
        ),
        ("classification", {"text": "q", "label": 1}, {"prompt", "completion"}),
    ],
)
def test_a_shape_becomes_the_columns_sft_reads(
    tmp_path: Path, shape: str, row: dict[str, Any], columns: set[str]
) -> None:
    loaded = data.load(order(tmp_path, shape, [row]), "answers")
    assert set(loaded.column_names) == columns


def test_held_out_prompts_take_the_form_of_the_training_rows(tmp_path: Path) -> None:
    train = data.load(order(tmp_path, "chat", [{"messages": [USER, ASSISTANT]}]), "answers")
    held_out = order(tmp_path, "prompt", [{"prompt": [USER], "reference_answer": {"dose": 1}}])
    rows = data.load(held_out, "answers", like=train)
    assert rows[0]["messages"][-1] == {"role": "assistant", "content": '{"dose":1}'}


def test_held_out_rows_of_another_form_are_refused_in_words(tmp_path: Path) -> None:
    train = data.load(order(tmp_path, "chat", [{"messages": [USER, ASSISTANT]}]), "answers")
    plain = order(tmp_path, "instruction", [{"prompt": "q", "completion": "a"}])
    with pytest.raises(StudioError, match="another form"):
        data.load(plain, "answers", like=train)


def test_a_part_of_the_rows_is_spread_over_the_whole_file(tmp_path: Path) -> None:
    numbered = order(tmp_path, "instruction", [{"prompt": str(n), "completion": "a"} for n in range(100)])
    assert [row["prompt"] for row in rows.read(numbered.path, 4)] == ["0", "25", "50", "75"]
    assert len(list(rows.read(numbered.path, 1000))) == 100
    assert len(data.prompts(numbered, 3)) == 3
    assert data.prompts(numbered, 0) == []


@pytest.mark.parametrize(
    ("shape", "row", "reference"),
    [
        ("chat", {"messages": [USER, ASSISTANT, USER, {"role": "assistant", "content": "last"}]}, "last"),
        ("chat", {"messages": [USER]}, ""),
        ("instruction", {"prompt": "q", "completion": "a"}, "a"),
        ("instruction", {"prompt": [USER], "completion": [CALL]}, ""),
        ("preference", {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [USER]}, "a"),
        ("prompt", {"prompt": [USER], "reference_answer": "a"}, "a"),
        ("classification", {"text": "q", "label": "a"}, "a"),
    ],
)
def test_a_prompt_ends_before_the_answer_it_asks_for(shape: str, row: dict[str, Any], reference: str) -> None:
    prompt = data.prompt_of(row, shape)
    assert prompt.text == "q"
    assert prompt.reference == reference
    assert not prompt.messages or prompt.messages[-1]["role"] == "user"


def test_every_shape_a_technique_reads_has_its_columns() -> None:
    from studio import techniques

    for technique in techniques.all():
        for shape in technique.shapes + technique.held_out_shapes:
            assert (technique.reads, shape) in CONVERTERS


def test_a_pair_is_two_thumbs_and_a_talk_ends_where_its_reference_begins(tmp_path: Path) -> None:
    pair = {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [{"role": "assistant", "content": "b"}]}
    thumbs = data.load(order(tmp_path, "preference", [pair]), "labelled")
    assert [(row["completion"][0]["content"], row["label"]) for row in thumbs] == [("a", True), ("b", False)]
    asked = data.load(
        order(tmp_path, "chat", [{"messages": [USER, ASSISTANT]}, {"messages": [USER]}]), "prompts"
    )
    assert len(asked) == 1
    assert orjson.loads(asked[0]["row"])["reference_answer"] == "a"


def called(name: str, **arguments: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}],
    }


def test_a_tool_gets_its_own_arguments_only(tmp_path: Path) -> None:
    talks = [
        {
            "messages": [USER, called("add", a=1, b=2)],
            "tools": [{"type": "function", "function": {"name": "add"}}],
        },
        {
            "messages": [USER, called("look", where="there")],
            "tools": [{"type": "function", "function": {"name": "look"}}],
        },
        {"messages": [USER, ASSISTANT]},
    ]
    loaded = data.load(order(tmp_path, "chat", talks), "answers")
    for row, talk in zip(loaded, talks, strict=True):
        made = row["messages"][1].get("tool_calls")
        assert made == talk["messages"][1].get("tool_calls")
        assert row.get("tools") == talk.get("tools")


def test_reasoning_is_learned_before_the_answer_or_dropped(tmp_path: Path) -> None:
    thought = {"role": "assistant", "content": "4", "thinking": "2 and 2"}
    talk = order(tmp_path, "chat", [{"messages": [USER, thought]}])
    with_it = data.load(talk, "answers")[0]["messages"][1]
    assert with_it == {"role": "assistant", "content": "<think>\n2 and 2\n</think>\n\n4"}
    without = data.load(talk, "answers", thinking=False)[0]["messages"][1]
    assert without == {"role": "assistant", "content": "4"}


def test_answers_of_weight_zero_are_never_learned(tmp_path: Path) -> None:
    wrong = {"role": "assistant", "content": "wrong", "weight": 0}
    talk = {"messages": [USER, wrong, USER, ASSISTANT]}
    loaded = data.load(order(tmp_path, "chat", [talk, {"messages": [USER, ASSISTANT]}]), "answers")
    cut = data.by_turns(loaded)
    assert [row["completion"][0]["content"] for row in cut] == ["a", "a"]
    assert [len(row["prompt"]) for row in cut] == [3, 1]
    assert not any("weight" in message for row in cut for message in row["prompt"] + row["completion"])
