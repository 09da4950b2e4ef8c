"""The form of a new run: its inputs laid out, and what happens when a person touches them.

Every edit goes into the draft in one transaction; the answer updates what hangs on it and nothing that is
being typed. The fragments around the form read the same draft (`app.pages.new_run`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from gradio.components import Component
from sqlalchemy.orm import Session

from app import forms, people
from app.errors import told
from app.pages import setup as setups
from app.pages.new_run_sheet import CHOICES, FAMILIES, Sheet, Shown, choices_of
from app.pages.setup import Setup
from app.parts import live, render
from app.toolkit import gr, html
from studio import adapters, db, drafts, queue, runs, techniques
from studio.errors import StudioError

FIRST = "Model"  # section
REMEMBER = """(key) => {
  const address = `/new-run?draft=${key}`;
  if (location.pathname + location.search !== address) history.replaceState(null, "", address);
  studio.refresh();
}"""
LEAVE = "(url) => { if (url) studio.go(url); else studio.refresh(); }"
QUIET: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}


# ---- what happens --------------------------------------------------------------------------------------


def change(key: str, address: str, edit: Callable[[Session, Setup], None]) -> tuple[Setup, setups.Facts]:
    """Changes the draft in one transaction; returns it with what the page must show of it."""
    with db.transaction() as session:
        setup = setups.current(session, key, setups.asked_in(address))
        edit(session, setup)
        setup.problem = {}
        drafts.put(session, key, setup.model_dump(mode="json"))
        return setup, setups.gather(session, setup)


def opened(sheet: Sheet, address: str) -> list[Any]:
    """The page has loaded: the draft of its address, or what the address asks for, under a fresh key."""
    asked = setups.asked_in(address)
    key = asked.get("draft") or drafts.new_key("run")
    with db.reading() as session:
        setup = setups.current(session, key, asked)
        return [key, address, *sheet.show(setup, setups.gather(session, setup), names=True)]


def chosen(sheet: Sheet, key: str, address: str, *given: Any) -> list[Any]:
    """Model, data, technique or adapter changed: everything that hangs on them follows. A dropdown also says
    so when Tab merely passes it; then nothing is touched, for the next field may be being typed in."""
    before: list[Shown] = []

    def edit(session: Session, setup: Setup) -> None:
        before.append(Shown.of(session, setup))
        for name, value in zip(CHOICES, given, strict=True):
            put_choice(session, setup, name, value)

    setup, facts = change(key, address, edit)
    if choices_of(setup) == before[0].choices:
        return [*sheet.buttons(facts), *[gr.skip()] * (len(sheet.all) - 2)]
    return sheet.show(setup, facts, before[0])


def put_choice(session: Session, setup: Setup, name: str, value: str | None) -> None:
    """An empty dataset field keeps a version that merely does not fit the technique of the moment."""
    text = (value or "").strip()
    if (
        name in ("dataset", "held_out")
        and not text
        and not setups.fits(session, setup, getattr(setup, name), name)
    ):
        return
    setattr(setup, name, text)


def named(sheet: Sheet, key: str, address: str, name: str, seed: float | None) -> list[Any]:
    def edit(_session: Session, setup: Setup) -> None:
        setup.name, setup.seed = name, seed

    return sheet.buttons(change(key, address, edit)[1])


def set_values(sheet: Sheet, family: str, name: str, key: str, address: str, *given: Any) -> list[Any]:
    """A setting was typed: only its marks and the buttons change, never what is in the field."""
    form = sheet.forms[family, name]
    place = FAMILIES.index(family)

    def edit(session: Session, setup: Setup) -> None:
        put_settings(session, setup, place, form.read(given))

    facts = change(key, address, edit)[1]
    return [*sheet.buttons(facts), *form.mark(facts.changed[place], facts.wrong)]


def put_settings(session: Session, setup: Setup, place: int, read: dict[str, Any]) -> None:
    """Keeps what differs from the recommendation; edits of settings this form does not have stay."""
    kept = (setup.parameters, setup.adapter_parameters)[place]
    others = {name: value for name, value in kept.items() if name not in read}
    mine = others | forms.differing(read, setups.recommended(session, setup)[place])
    if place:
        setup.adapter_parameters = mine
    else:
        setup.parameters = mine


def reset(sheet: Sheet, key: str, address: str) -> list[Any]:
    def edit(_session: Session, setup: Setup) -> None:
        setup.parameters, setup.adapter_parameters = {}, {}

    setup, facts = change(key, address, edit)
    return sheet.show(setup, facts)


def launch(sheet: Sheet, who: str, key: str, address: str, *given: Any) -> list[Any]:
    """Starts what the fields say at this moment; a refusal is kept in the draft and shown."""
    choices, (name, seed), settings = given[:5], given[5:7], given[7:]

    def edit(session: Session, setup: Setup) -> None:
        for choice, value in zip(CHOICES, choices, strict=True):
            put_choice(session, setup, choice, value)
        setup.name, setup.seed = name, seed
        at = 0
        for (family, member), form in sheet.forms.items():
            read = form.read(settings[at : at + len(form.inputs)])
            at += len(form.inputs)
            if getattr(setup, family) == member:
                put_settings(session, setup, FAMILIES.index(family), read)

    change(key, address, edit)
    try:
        goal = start(key, address, who)
    except StudioError as error:
        setup, facts = refuse(key, address, error)
        return ["", *sheet.show(setup, facts)]
    return [goal, gr.update(value="Starting …", interactive=False), *[gr.skip()] * (len(sheet.all) - 1)]


def start(key: str, address: str, who: str) -> str:
    """Launches the draft; returns the address of its run."""
    with db.transaction() as session:
        setup = setups.current(session, key, setups.asked_in(address))
        run = runs.launch(session, setups.config(session, setup), who)
        drafts.drop(session, key)
    queue.wake_workers()
    return f"/run?id={run.id}"


def refuse(key: str, address: str, error: StudioError) -> tuple[Setup, setups.Facts]:
    with db.transaction() as session:
        setup = setups.current(session, key, setups.asked_in(address))
        setup.problem = error.as_dict()
        drafts.put(session, key, setup.model_dump(mode="json"))
        return setup, setups.gather(session, setup)


# ---- laying out ----------------------------------------------------------------------------------------


def lay_out() -> Sheet:
    sheet = Sheet(
        address=gr.Textbox(visible=False),
        key=gr.Textbox(visible=False),
        goal=gr.Textbox(visible=False),
        name=gr.Textbox(label="Name", info="Left empty, it is named after its data.", **plain("name")),
        seed=gr.Number(
            42,
            label="Seed",
            info="The same seed and settings give the same run.",
            precision=0,
            **plain("seed"),
        ),
        start=gr.Button("Start", variant="primary", elem_id="new-run-start", interactive=False, render=False),
        reset=gr.Button(
            "Reset to the recommendation", elem_id="new-run-reset", visible=False, size="sm", render=False
        ),
    )
    sheet.choices = make_choices()
    for technique in techniques.all():
        sheet.techniques[technique.name] = forms.build(technique.parameters, technique.name)
    for adapter in adapters.all():
        sheet.adapters[adapter.name] = forms.build(adapter.parameters, f"adapter-{adapter.name}")
    section(FIRST, "What the training starts from.", sheet.choices["model"])
    section("Data", "What it learns from, and rows kept apart to measure it with.")
    with gr.Row():
        sheet.choices["dataset"].render()
        sheet.choices["held_out"].render()
    html(live("new-run-data", every=0, rows=1), elem_id="new-run-data")
    section("Technique", "How it learns.", sheet.choices["technique"])
    section("Adapter", "How much of the model is trained.", sheet.choices["adapter"])
    lay_out_settings(sheet)
    section("Name and seed", "")
    with gr.Row():
        sheet.name.render()
        sheet.seed.render()
    return sheet


def lay_out_settings(sheet: Sheet) -> None:
    section("Settings", "Recommended for this technique, adapter and size of model.")
    html(live("new-run-changes", every=0, rows=1), elem_id="new-run-changes")
    sheet.reset.render()
    for family, form in sheet.forms.items():
        with gr.Column(visible=False, elem_classes="settings") as basic:
            form.place_basic()
        sheet.panels[family] = [basic]
    with gr.Accordion("All settings", open=False, elem_id="new-run-all"):
        for family, form in sheet.forms.items():
            with gr.Column(visible=False, elem_classes="settings") as rest:
                form.place_rest()
            sheet.panels[family].append(rest)


def make_choices() -> dict[str, Component]:
    return {
        "technique": gr.Radio(
            [(f"{each.title}\n{each.summary}", each.name) for each in techniques.all()],
            label="Technique",
            show_label=False,
            **carded("technique"),
        ),
        "adapter": gr.Radio(
            [(f"{each.title}\n{each.summary}", each.name) for each in adapters.all()],
            label="Adapter",
            show_label=False,
            **carded("adapter"),
        ),
        "model": gr.Dropdown(
            [],
            label="Base model",
            info="Choose one, or type a folder on this machine or a hub id such as Qwen/Qwen3-0.6B.",
            allow_custom_value=True,
            **plain("model"),
        ),
        "dataset": gr.Dropdown(
            [], label="Dataset", info="Versions this technique can learn from.", **plain("dataset")
        ),
        "held_out": gr.Dropdown(
            [("None", "")],
            label="Held-out data",
            info="Never trained on. Without it nobody knows whether the model got better.",
            **plain("held-out"),
        ),
    }


def plain(name: str) -> dict[str, Any]:
    return {"elem_id": f"new-run-{name}", "interactive": True, "render": False}


def carded(name: str) -> dict[str, Any]:
    return plain(name) | {"elem_classes": ["carded"], "container": False}


def section(title: str, text: str, *inputs: Component) -> None:
    html(str(render("new_run_section.html", title=title, text=text, is_first=title == FIRST)))
    for component in inputs:
        component.render()


def wire(sheet: Sheet) -> None:
    demo = gr.context.Context.root_block
    where = [sheet.key, sheet.address]
    demo.load(
        told(lambda address: opened(sheet, address)),
        sheet.address,
        [*where, *sheet.all],
        js="() => location.search",
        **QUIET,
    )
    choices = list(sheet.choices.values())
    listen([each.input for each in choices], bound(chosen, sheet), [*where, *choices], sheet.all, sheet)
    names = [sheet.name, sheet.seed]
    listen(
        [each.input for each in names],
        bound(named, sheet),
        [*where, *names],
        [sheet.start, sheet.reset],
        sheet,
    )
    for (family, member), form in sheet.forms.items():
        inputs = list(form.inputs.values())
        if inputs:
            edit = bound(set_values, sheet, family, member)
            listen(
                [each.input for each in inputs],
                edit,
                [*where, *inputs],
                [sheet.start, sheet.reset, *inputs],
                sheet,
            )
    listen([sheet.reset.click], bound(reset, sheet), where, sheet.all, sheet)

    def start_now(request: gr.Request, *given: Any) -> list[Any]:
        return launch(sheet, people.who(request.request), *given)

    sheet.start.click(
        told(start_now), [*where, *choices, *names, *sheet.settings], [sheet.goal, *sheet.all], **QUIET
    ).then(None, sheet.goal, None, js=LEAVE)


def bound(handler: Callable[..., list[Any]], *first: Any) -> Callable[..., list[Any]]:
    return told(partial(handler, *first))


def listen(
    triggers: list[Any],
    handler: Callable[..., list[Any]],
    inputs: list[Component],
    outputs: list[Any],
    sheet: Sheet,
) -> None:
    """Runs `handler` on what a person does; the newest of several quick edits is never dropped."""
    event = gr.on(triggers, handler, inputs, outputs, trigger_mode="always_last", **QUIET)
    event.then(None, sheet.key, None, js=REMEMBER)
