"""Every input of the new-run page, and the updates that make them show a setup.

What happens when a person touches one is in `app.pages.new_run_form`.
"""

from dataclasses import dataclass, field
from typing import Any

from gradio.components import Component
from sqlalchemy.orm import Session

from app import forms
from app.pages import setup as setups
from app.pages.setup import Setup
from app.toolkit import gr

CHOICES = ("technique", "adapter", "model", "dataset", "held_out")
FAMILIES = ("technique", "adapter")


@dataclass
class Sheet:
    """Every input of the page, and the updates that make them show a setup."""

    address: Component
    key: Component
    goal: Component
    name: Component
    seed: Component
    start: Component
    reset: Component
    choices: dict[str, Component] = field(default_factory=dict)
    techniques: dict[str, forms.Form] = field(default_factory=dict)
    adapters: dict[str, forms.Form] = field(default_factory=dict)
    panels: dict[tuple[str, str], list[gr.Column]] = field(default_factory=dict)

    @property
    def forms(self) -> dict[tuple[str, str], forms.Form]:
        of_techniques = {("technique", name): form for name, form in self.techniques.items()}
        return of_techniques | {("adapter", name): form for name, form in self.adapters.items()}

    @property
    def settings(self) -> list[Component]:
        return [component for form in self.forms.values() for component in form.inputs.values()]

    @property
    def all(self) -> list[Component]:
        """The outputs of `show`, in its order."""
        panels = [column for columns in self.panels.values() for column in columns]
        return [self.start, self.reset, *self.choices.values(), self.name, self.seed, *panels, *self.settings]

    def show(
        self, setup: Setup, facts: setups.Facts, shown: "Shown | None" = None, *, names: bool = False
    ) -> list[Any]:
        """Updates for `all`. Forms of other techniques and adapters are hidden and left as they are. So is
        what may be being typed: name and seed unless `names`, and settings that are `shown` already."""
        chosen = {"technique": setup.technique, "adapter": setup.adapter}
        panels = [
            gr.update(visible=chosen[family] == name)
            for (family, name), columns in self.panels.items()
            for _ in columns
        ]
        return [
            *self.buttons(facts),
            gr.update(value=setup.technique),
            gr.update(value=setup.adapter),
            gr.update(choices=facts.models, value=setup.model or None),
            gr.update(choices=facts.datasets, value=among(facts.datasets, setup.dataset, None)),
            gr.update(choices=facts.held_outs, value=among(facts.held_outs, setup.held_out, "")),
            gr.update(value=setup.name) if names else gr.skip(),
            gr.update(value=setup.seed) if names else gr.skip(),
            *panels,
            *self.show_settings(setup, facts, shown),
        ]

    def show_settings(self, setup: Setup, facts: setups.Facts, shown: "Shown | None" = None) -> list[Any]:
        chosen = {"technique": setup.technique, "adapter": setup.adapter}
        updates: list[Any] = []
        for (family, name), form in self.forms.items():
            place = FAMILIES.index(family)
            if chosen[family] == name:
                values, changed = facts.values[place], facts.changed[place]
                both = zip(
                    form.show(values, changed, facts.wrong), form.mark(changed, facts.wrong), strict=True
                )
                known = shown.settings(place, name) if shown else {}
                updates += [
                    mark if field in known and forms.same(known[field], values[field]) else update
                    for field, (update, mark) in zip(form.inputs, both, strict=True)
                ]
            else:
                updates += [gr.skip()] * len(form.inputs)
        return updates

    def buttons(self, facts: setups.Facts) -> list[Any]:
        count = len(facts.changed[0]) + len(facts.changed[1])
        return [
            gr.update(value=facts.button, interactive=facts.is_ready),
            gr.update(visible=bool(count)),
        ]


@dataclass
class Shown:
    """What the page shows before a change: the choices, and the settings of technique and adapter."""

    choices: list[str]
    values: tuple[dict[str, Any], dict[str, Any]]

    @classmethod
    def of(cls, session: Session, setup: Setup) -> "Shown":
        return cls(choices_of(setup), setups.values(session, setup))

    def settings(self, place: int, name: str) -> dict[str, Any]:
        """Those in the form of this technique or adapter; none if another one was chosen."""
        return self.values[place] if self.choices[place] == name else {}


def choices_of(setup: Setup) -> list[str]:
    return [getattr(setup, name) for name in CHOICES]


def among(options: list[tuple[str, str]], value: str, otherwise: str | None) -> str | None:
    return value if value in [option for _, option in options] else otherwise
