"""Chat with a base model and what was made of it, side by side, at /try?models=1,5&chat=<key>.

Questions go to `POST /api/chat`; a serving run answers, and the columns here are live fragments over the
answers. `static/try.js` only sends what is typed and keeps the address.
"""

from itertools import groupby

from markupsafe import Markup

from app.navigation import Page
from app.pages import waiting
from app.parts import Paced, Query, assets, fragment, live, render
from app.toolkit import gr, html
from studio import chats, db, held_out, weights
from studio.models import Model

WHILE_ANSWERING, OTHERWISE = 0.4, 8.0  # seconds


@fragment("try-models")
def models(query: Query) -> Markup:
    """Which models to ask: one to four, tuned ones beside what they began from."""
    with db.reading() as session:
        listed = [model for model in weights.listed(session) if model.kind == "language"]
    chosen = query.numbers("models")
    return render(
        "try_models.html",
        models=listed,
        names={model.id: model.name for model in listed},
        chosen=chosen,
        most=chats.MOST_MODELS,
        chat=query.text("chat"),
        pair=suggested(listed) if not chosen else None,
    )


def suggested(listed: list[Model]) -> tuple[Model, Model] | None:
    """The newest tuned model and what it began from: the comparison most people come for."""
    by_id = {model.id: model for model in listed}
    for model in reversed(listed):
        if model.run_id and model.base_id in by_id:
            return by_id[model.base_id], model
    return None


@fragment("try-chat")
def chat(query: Query) -> Paced:
    """All turns with one column a model; quick while somebody answers, slow otherwise."""
    key = query.text("chat")
    with db.reading() as session:
        answers = chats.list_answers(session, key) if key else []
        turns = [(number, list(of_turn)) for number, of_turn in groupby(answers, key=lambda a: a.turn)]
        names = {model.id: model.name for model in weights.listed(session)}
        is_busy = any(answer.state in chats.WAITING for answer in answers)
        said = waiting.serving(session, chats.serving(session, key)) if is_busy else ""
    body = render("try_chat.html", turns=turns, names=names, activity=said, chosen=query.numbers("models"))
    return Paced(body, WHILE_ANSWERING if is_busy else OTHERWISE)


@fragment("try-ask")
def ask(query: Query) -> Markup:
    """The message box. Says what it waits for; offers held-out prompts where there are some."""
    chosen = query.numbers("models")
    with db.reading() as session:
        kept = held_out.of_models(session, chosen) if chosen else None
        source = kept.title if kept else ""
        any_models = bool(weights.listed(session))
    return render("try_ask.html", chosen=chosen, source=source, any_models=any_models)


def build() -> None:
    html(live("try-models", every=0, rows=2), elem_id="try-models")
    html(live("try-chat", every=OTHERWISE, rows=3), elem_id="try-chat")
    html(live("try-ask", every=0, rows=2), elem_id="try-ask")
    gr.HTML(
        '<span class="hidden" aria-hidden="true"></span>',
        js_on_load=f'import("{assets.address("try.js")}")',
        apply_default_css=False,
        padding=False,
        elem_classes="nothing",
    )


PAGE = Page(path="/try", title="Try", build=build, icon="try", order=230)
