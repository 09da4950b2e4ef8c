"""A setup with what follows from it: what was chosen and fits, and the settings in force.

Whether it can be launched, and as what, is `app.setup.verdict`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from app import forms
from app.setup import Grading, Setup, offers, several
from app.setup.offers import Version
from studio import adapters, chains, graders, lineage, recommendations, techniques
from studio.adapters import Adapter
from studio.graders import Grader
from studio.models import Model, Run, State
from studio.techniques import Suggestion, Technique

Values = dict[str, Any]


class Both(NamedTuple):
    """The settings of the technique and those of the adapter."""

    technique: Values
    adapter: Values


@dataclass(frozen=True)
class Graded:
    """One grader of the setup, with the settings in force and those the grader has by itself."""

    key: str
    given: Grading
    grader: Grader
    values: Values
    advised: Values

    @property
    def path(self) -> str:
        return f"graders:{self.key}"


class Plan:
    """Each part is worked out once, and only when it is asked for."""

    def __init__(self, session: Session, setup: Setup):
        self.session, self.setup = session, setup

    # ---- what was chosen ----

    @cached_property
    def technique(self) -> Technique:
        return techniques.get(self.setup.technique)

    @cached_property
    def adapter(self) -> Adapter:
        return adapters.get(self.setup.adapter)

    @cached_property
    def model(self) -> Model | None:
        """The registered model; None for a folder, a hub id, or the result of a run."""
        return offers.known_model(self.session, self.setup.model) if self.setup.model else None

    @cached_property
    def awaited(self) -> Run | None:
        """The run whose result is the model."""
        return lineage.awaited(self.session, self.setup.model)

    @cached_property
    def forerunners(self) -> list[Run]:
        """The runs that this one would wait for: they make its model, an input or a grader's model."""
        named = [self.setup.model, *self.inputs.values()]
        for each in self.graders:
            named += [str(each.values[field]) for field in forms.naming_models(each.grader.parameters)]
        found = (lineage.awaited(self.session, reference) for reference in dict.fromkeys(named))
        return [run for run in found if run is not None and run.state != State.SUCCEEDED]

    @cached_property
    def size(self) -> int | None:
        """Parameters of the model, where they are known; of an adapter, those of the model it sits on."""
        model = lineage.whole(self.session, self.awaited or self.model)
        return model.parameters if model else None

    @cached_property
    def versions(self) -> list[Version]:
        return offers.versions(self.session)

    @cached_property
    def dataset(self) -> Version | None:
        return self.fitting("dataset", self.setup.dataset)

    @cached_property
    def held_out(self) -> Version | None:
        return self.fitting("held_out", self.setup.held_out)

    @cached_property
    def pairs(self) -> Version | None:
        """What a reward model learns from, in a run before this one."""
        shapes = techniques.get(chains.REWARD).shapes
        return self.version(self.setup.chain.pairs, shapes) if self.technique.graded else None

    @cached_property
    def examples(self) -> Version | None:
        """What the model learns from before that."""
        shapes = techniques.get(chains.EXAMPLES).shapes
        return self.version(self.setup.chain.examples, shapes) if self.pairs else None

    def fitting(self, role: str, reference: str) -> Version | None:
        """The version chosen for this role; None where its shape does not fit."""
        return self.version(reference, offers.shapes_for(self.technique, role))

    def version(self, reference: str, shapes: Sequence[str]) -> Version | None:
        chosen = (version for version in self.versions if str(version.id) == reference)
        return next((version for version in chosen if not shapes or version.shape in shapes), None)

    @cached_property
    def inputs(self) -> dict[str, str]:
        """The technique's further inputs that are chosen and fit, by name."""
        given = {wanted.name: self.setup.inputs.get(wanted.name, "") for wanted in self.technique.inputs}
        return {
            wanted.name: given[wanted.name]
            for wanted in self.technique.inputs
            if given[wanted.name]
            and (wanted.kind == "model" or self.fitting(wanted.name, given[wanted.name]))
        }

    @cached_property
    def graders(self) -> list[Graded]:
        """Those that are still there: the file of one may have been removed since."""
        found = []
        for key, given in self.setup.keyed():
            if graders.has(given.grader):
                grader = graders.get(given.grader)
                advised = forms.defaults(grader.parameters)
                found.append(Graded(key, given, grader, over(advised, given.parameters), advised))
        return found

    # ---- settings ----

    @cached_property
    def guided(self) -> dict[str, Suggestion]:
        """The starting values of the guide's card this setup came from, for what it recommended."""
        if self.setup.recommendation is None:
            return {}
        kept = recommendations.get(self.session, self.setup.recommendation)
        card = recommendations.card_of(kept)
        if self.technique.name not in card.run_as:
            return {}
        values, fields = kept.result.get("start_params", {}), self.technique.parameters.model_fields
        return {
            fact.name: Suggestion(values[fact.name], fact.source)
            for fact in card.start_params
            if fact.name in fields
        }

    @cached_property
    def suggested(self) -> dict[str, Suggestion]:
        """What takes the place of the class's defaults: the technique's suggestions for adapter and model
        size and, before them, the starting values of the guide."""
        return self.technique.suggestions(self.adapter.name, self.size) | self.guided

    @cached_property
    def advised(self) -> Both:
        """All settings of technique and adapter as the studio would set them for this model."""
        suggested = {name: each.value for name, each in self.suggested.items()}
        of_technique = forms.defaults(self.technique.parameters) | suggested
        return Both(of_technique, forms.defaults(self.adapter.parameters))

    @cached_property
    def values(self) -> Both:
        """All settings in force: the recommendation under what the person changed."""
        return Both(
            over(self.advised.technique, self.setup.parameters),
            over(self.advised.adapter, self.setup.adapter_parameters),
        )

    @cached_property
    def changed(self) -> Both:
        """What the person set otherwise than recommended."""
        return Both(
            forms.differing(self.values.technique, self.advised.technique),
            forms.differing(self.values.adapter, self.advised.adapter),
        )

    # ---- sweep ----

    @cached_property
    def variable(self) -> list[several.Varied]:
        """What a sweep could vary here."""
        return several.choices(self.technique, self.adapter, self.setup.sweep.method)

    @cached_property
    def varied(self) -> list[several.Varied]:
        """What the sweep does vary, in the order it was chosen."""
        known = {each.name: each for each in self.variable}
        return [known[name] for name in self.setup.sweep.fields if name in known]


def over(advised: Values, mine: Values) -> Values:
    """The recommended values under a person's own; settings this form does not have are left out."""
    return advised | {name: value for name, value in mine.items() if name in advised}
