"""Forms from classes of settings: the right input, its words, its marks, and values in the right types."""

from typing import Any, Literal

import pytest

from app import forms
from app.toolkit import gr, in_loop
from studio import adapters, techniques
from studio.errors import StudioError
from studio.parameters import Parameters, setting, validate


class Example(Parameters):
    rate: float = setting(2e-5, "Rate", "How fast.", source="a paper", basic=True, gt=0, le=1)
    rows: int = setting(8, "Rows", "How many.", unit="rows", ge=1, le=4096)
    share: float = setting(0.1, "Share", "How much.", ge=0, lt=1)
    mode: Literal["fast", "very_slow"] = setting("fast", "Mode", "Which.")
    colour: Literal["a", "b", "c", "d"] = setting("a", "Colour", "Which one.")
    packed: bool = setting(False, "Packed", "Whether.")
    words: list[str] = setting(["a", "b"], "Words", "One a line.")
    note: str = setting("", "Note", "Anything.")
    most: int | None = setting(None, "Most", "An end, or none.", ge=1)


@pytest.fixture
def form() -> forms.Form:
    return built(Example)


def built(kind: type[Parameters]) -> forms.Form:
    def build() -> forms.Form:
        with gr.Blocks():
            return forms.build(kind, "any")

    return in_loop(build)


def given(form: forms.Form, **changed: Any) -> list[Any]:
    """What the inputs would send, with some of them changed."""
    values = {name: forms.shown(value) for name, value in forms.defaults(form.kind).items()} | changed
    return [values[name] for name in form.inputs]


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("rate", gr.Number),
        ("rows", gr.Number),
        ("share", gr.Slider),
        ("mode", gr.Radio),
        ("colour", gr.Dropdown),
        ("packed", gr.Checkbox),
        ("words", gr.Textbox),
        ("note", gr.Textbox),
        ("most", gr.Number),
    ],
)
def test_each_type_has_the_input_that_fits_it(form: forms.Form, field: str, kind: type) -> None:
    assert type(form.inputs[field]) is kind


def test_basic_settings_come_first(form: forms.Form) -> None:
    assert next(iter(form.inputs)) == "rate"


def test_help_bounds_default_and_source_stand_under_the_title(form: forms.Form) -> None:
    assert form.inputs["rate"].info == "How fast. Above 0, at most 1; default 2e-5 (a paper)."
    assert form.inputs["rows"].label == "Rows (rows)"
    assert form.inputs["rows"].info == "How many. 1 to 4,096; default 8."


def test_a_slider_stays_below_an_end_that_is_left_out(form: forms.Form) -> None:
    assert form.inputs["share"].maximum == pytest.approx(0.999)


def test_values_come_back_in_the_types_of_the_class(form: forms.Form) -> None:
    read = form.read(given(form, rows=16.0, rate=1, words="x\n\n y ", most=None))
    assert (read["rows"], read["rate"], read["words"], read["most"]) == (16, 1.0, ["x", "y"], None)
    assert type(read["rows"]) is int
    validate(Example, read, "Example")


def test_what_was_shown_and_not_touched_differs_in_nothing(form: forms.Form) -> None:
    assert forms.differing(form.read(given(form)), forms.defaults(Example)) == {}


def test_only_what_was_changed_is_different_and_marked(form: forms.Form) -> None:
    read = form.read(given(form, rate=0.001, packed=True))
    changed = forms.differing(read, forms.defaults(Example))
    assert changed == {"rate": 0.001, "packed": True}
    marks = dict(zip(form.inputs, form.mark(changed), strict=True))
    assert [name for name, update in marks.items() if "changed" in update["elem_classes"]] == [
        "rate",
        "packed",
    ]
    assert all("value" not in update for update in marks.values())


def test_a_wrong_value_is_marked_and_named(form: forms.Form) -> None:
    with pytest.raises(StudioError, match="Rate") as refused:
        validate(Example, form.read(given(form, rate=7)), "Example")
    assert refused.value.field == "rate"
    marks = dict(zip(form.inputs, form.mark((), refused.value.field), strict=True))
    assert "wrong" in marks["rate"]["elem_classes"]


def test_an_emptied_number_is_refused_by_name(form: forms.Form) -> None:
    with pytest.raises(StudioError) as refused:
        validate(Example, form.read(given(form, rows=None)), "Example")
    assert refused.value.field == "rows"


KINDS = [each.parameters for each in techniques.all()] + [each.parameters for each in adapters.all()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_technique_and_adapter_makes_a_form_that_gives_its_defaults_back(
    kind: type[Parameters],
) -> None:
    form = built(kind)
    assert sum(forms.is_basic(kind, name) for name in form.inputs) <= 6
    read = form.read(given(form))
    assert forms.differing(read, forms.defaults(kind)) == {}
    validate(kind, read, kind.__name__)
