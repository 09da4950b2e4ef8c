"""What every technique, adapter and grader must have; new ones are tested by being there."""

from itertools import pairwise

import pytest

from studio import adapters, graders, parameters, techniques
from studio.datasets import shapes
from studio.errors import NotFound, StudioError
from studio.parameters import Parameters
from studio.techniques import Healthy, MetricInfo

SIZES = (None, 1_000_000, 7_000_000_000, 70_000_000_000)
KINDS: list[type[Parameters]] = [t.parameters for t in techniques.all()] + [
    a.parameters for a in adapters.all()
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_setting_is_explained_and_its_default_is_valid(kind: type[Parameters]) -> None:
    kind()
    for name, field in kind.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert field.description.rstrip().endswith((".", "?")), name
        assert parameters.about(field).get("source"), name


@pytest.mark.parametrize("technique", techniques.all(), ids=lambda t: t.name)
def test_every_suggested_value_is_valid_and_has_a_source(technique: techniques.Technique) -> None:
    for adapter in adapters.all():
        for size in SIZES:
            technique.parameters(**technique.suggest(adapter.name, size))
            for name, suggestion in technique.suggestions(adapter.name, size).items():
                assert suggestion.source, name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_at_most_six_settings_are_shown_first(kind: type[Parameters]) -> None:
    assert sum(parameters.about(field).get("basic", False) for field in kind.model_fields.values()) <= 6


@pytest.mark.parametrize("technique", techniques.all(), ids=lambda t: t.name)
def test_every_technique_has_a_handbook_metrics_and_known_shapes(technique: techniques.Technique) -> None:
    assert len(technique.handbook) > 300
    assert all(shapes.get(shape) for shape in technique.shapes)
    assert len({metric.key for metric in technique.metrics}) == len(technique.metrics) > 0


@pytest.mark.parametrize("technique", techniques.all(), ids=lambda t: t.name)
def test_charts_begin_with_what_a_run_is_judged_by_and_end_with_its_speed(
    technique: techniques.Technique,
) -> None:
    groups = [metric.group for metric in technique.metrics]
    judged = {metric.group for metric in technique.metrics if metric.key in technique.headline}
    assert groups[0] in judged
    assert groups[-1] == "Throughput"
    changes = sum(one != other for one, other in pairwise(groups))
    assert changes == len(set(groups)) - 1, "a group stands in two places"


@pytest.mark.parametrize("technique", techniques.all(), ids=lambda t: t.name)
def test_every_technique_says_of_a_metric_what_is_healthy_and_why(technique: techniques.Technique) -> None:
    ranges = [metric.healthy for metric in technique.metrics if metric.healthy]
    assert ranges
    for healthy in ranges:
        assert healthy.source
        assert (healthy.low, healthy.high) != (None, None)


@pytest.mark.parametrize(
    ("healthy", "words", "missed"),
    [
        (Healthy("x", low=0.6), "above 0.6 nats", ["too low", "too low", "", ""]),
        (Healthy("x", high=0.5), "below 0.5 nats", ["", "", "too high", "too high"]),
        (Healthy("x", low=0.1, high=0.5), "0.1 to 0.5 nats", ["", "", "too high", "too high"]),
    ],
)
def test_a_healthy_range_is_said_in_words_and_its_ends_belong_to_it(
    healthy: Healthy, words: str, missed: list[str]
) -> None:
    assert MetricInfo("x", "X", "G", "help", unit="nats", healthy=healthy).healthy_words() == words
    assert [healthy.missed(value) for value in (0.1, 0.5, 0.6, 0.7)] == missed


@pytest.mark.parametrize("technique", techniques.all(), ids=lambda each: each.name)
def test_warm_up_is_a_share_of_the_steps_and_never_one_step(technique: techniques.Technique) -> None:
    with pytest.raises(StudioError, match="less than 1"):
        parameters.validate(technique.parameters, {"warmup_ratio": 1.0}, technique.title)


def test_an_unknown_member_is_refused_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="sft"):
        techniques.get("magic")


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}', 1.0),
        ('{"a": 1}', '{"a": 2}', 0.0),
        ("not json", '{"a": 2}', 0.0),
        (" yes ", "yes", 1.0),
        ("yes", "no", 0.0),
        ("12", "12.0", 0.0),
        ('{"a": true}', '{"a": 1}', 0.0),
        ('{"a": [2.0]}', '{"a": [2]}', 1.0),
        ("[" * 100_000, "[]", 0.0),
    ],
)
def test_exact_match_compares_json_by_value_and_text_by_letter(
    answer: str, reference: str, score: float
) -> None:
    assert graders.score("exact_match", answer, reference) == score
