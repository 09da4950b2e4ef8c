"""Forms from classes of settings: the right input, its words, its marks, and values in the right types."""

from typing import Any, Literal

import pytest

from app import forms
from studio import adapters, graders, techniques
from studio.errors import StudioError
from studio.parameters import Parameters, setting


class Example(Parameters):
    rate: float = setting(2e-5, "Rate", "How fast.", source="a paper", basic=True, gt=0, le=1)
    rows: int = setting(8, "Rows", "How many.", unit="rows", ge=1, le=4096)
    share: float = setting(0.1, "Share", "How much.", ge=0, lt=1)
    mode: Literal["fast", "very_slow"] = setting("fast", "Mode", "Which.")
    layer: Literal[1, 2] | None = setting(None, "Layer", "Which, or none.")
    packed: bool = setting(False, "Packed", "Whether.")
    words: list[str] = setting(["a", "b"], "Words", "One a line.")
    numbers: list[int] = setting([1], "Numbers", "One a line.")
    note: str = setting("", "Note", "Anything.")
    most: int | None = setting(None, "Most", "An end, or none.", ge=1)
    judge: str = setting("", "Judge", "A model.", kind="model")
    program: str = setting("", "Program", "Some code.", kind="code")
    schema_: str = setting("", "Schema", "Some JSON.", kind="json")
    rubric: str = setting("", "Rubric", "Some lines.", kind="words")


DEFAULTS = forms.defaults(Example)


def shown(marks: forms.Marks | None = None, **changed: Any) -> dict[str, forms.Field]:
    fields = forms.describe(Example, "any", DEFAULTS | changed, DEFAULTS, marks)
    return {field.name: field for field in fields}


@pytest.mark.parametrize(
    ("field", "control"),
    [
        ("rate", "number"),
        ("rows", "number"),
        ("mode", "choice"),
        ("layer", "choice"),
        ("packed", "switch"),
        ("words", "lines"),
        ("note", "text"),
        ("most", "number"),
        ("judge", "model"),
        ("program", "code"),
        ("schema_", "json"),
        ("rubric", "words"),
    ],
)
def test_each_type_has_the_input_that_fits_it(field: str, control: str) -> None:
    assert shown()[field].control == control


def test_help_bounds_default_source_and_unit_are_those_of_the_class() -> None:
    rate, rows = shown()["rate"], shown()["rows"]
    assert (rate.help, rate.bounds, rate.default) == ("How fast.", "above 0, at most 1", "2e-5")
    assert rate.source == "a paper"
    assert (rate.is_basic, rate.is_whole) == (True, False)
    assert (rows.unit, rows.bounds, rows.is_whole) == ("rows", "1 to 4,096", True)
    assert shown()["share"].bounds == "at least 0, below 1"


def test_a_choice_that_may_be_none_offers_that_too() -> None:
    assert shown()["mode"].options == (("fast", "fast"), ("very_slow", "very slow"))
    assert shown()["layer"].options == (("", "none"), ("1", "1"), ("2", "2"))


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("rows", "16", 16),
        ("rows", " 1,024 ", 1024),
        ("rows", "16.0", 16),
        ("rows", "1.5", 1.5),
        ("rows", "many", "many"),
        ("rows", "", None),
        ("rate", "1e-3", 0.001),
        ("rate", "1", 1.0),
        ("rate", "nan", "nan"),
        ("rate", "inf", "inf"),
        ("mode", "very_slow", "very_slow"),
        ("mode", "magic", "magic"),
        ("layer", "2", 2),
        ("layer", "", None),
        ("packed", "true", True),
        ("words", "x\n\n y ", ["x", "y"]),
        ("words", "", []),
        ("numbers", "1\n22", [1, 22]),
        ("note", " a ", " a "),
        ("note", "", ""),
        ("most", "", None),
        ("most", "3", 3),
        ("program", "def f():\n  pass\n", "def f():\n  pass\n"),
    ],
)
def test_what_is_typed_is_read_in_the_type_of_the_class_or_stays_the_text_it_is(
    field: str, text: str, value: Any
) -> None:
    read = forms.read(Example, field, text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(2e-5, "2e-5"), (0.01, "0.01"), (3.0, "3"), (1e22, "1e22"), (1_000_000, "1000000"), (True, "true")],
)
def test_a_value_stands_in_its_input_as_one_would_type_it(value: Any, text: str) -> None:
    assert forms.as_text(value) == text


def test_only_what_was_changed_is_marked() -> None:
    fields = shown(rate=0.001, packed=True)
    assert [name for name, field in fields.items() if field.is_changed] == ["rate", "packed"]
    assert forms.differing(DEFAULTS | {"rate": 0.001, "rows": 8.0}, DEFAULTS) == {"rate": 0.001}


def test_a_wrong_value_is_named_and_marked_where_it_stands() -> None:
    with pytest.raises(StudioError, match="Rate") as refused:
        forms.checked(Example, DEFAULTS | {"rate": 7.0}, "Example")
    assert refused.value.field == "rate"
    fields = shown(forms.Marks("any:rate", str(refused.value), {"rows": "8, 16"}))
    assert [name for name, field in fields.items() if field.problem] == ["rate"]
    assert fields["rows"].several == "8, 16"


@pytest.mark.parametrize(
    ("field", "value"), [("rows", None), ("rate", "nan"), ("mode", "magic"), ("rows", "many")]
)
def test_what_is_no_value_of_its_type_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(StudioError) as refused:
        forms.checked(Example, DEFAULTS | {field: value}, "Example")
    assert refused.value.field == field


def test_text_that_should_be_json_is_refused_with_line_and_column() -> None:
    with pytest.raises(StudioError, match="line 2, column 3") as refused:
        forms.checked(Example, DEFAULTS | {"schema_": '{"a":\n  b}'}, "Example")
    assert refused.value.field == "schema_"
    with pytest.raises(StudioError, match="nested"):
        forms.checked(Example, DEFAULTS | {"schema_": "[" * 100_000}, "Example")


def test_ids_need_no_escape() -> None:
    assert forms.id_of("graders:g1:parameters:pattern") == "graders-g1-parameters-pattern"


KINDS = [each.parameters for each in (*techniques.all(), *adapters.all(), *graders.all())]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_form_gives_its_defaults_back(kind: type[Parameters]) -> None:
    values = forms.defaults(kind)
    fields = forms.describe(kind, "any", values, values)
    read = {field.name: forms.read(kind, field.name, field.value) for field in fields}
    assert forms.differing(read, values) == {}
    assert not any(field.is_changed for field in fields)
