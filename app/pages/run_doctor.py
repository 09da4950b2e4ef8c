"""What the doctor says of a run, on its page: findings with evidence and the way out, or that nothing was
found. A helper of /run."""

from markupsafe import Markup

from app import diagnosis, forms
from app.pages import run_words
from app.parts import Paced, Query, fragment, render
from studio import db, runs
from studio.errors import StudioError
from studio.models import Kind

PART = "run-doctor"
EVERY = 3.0  # seconds between looks while it trains
CALM = 10.0
KINDS = {"error": ("bad", "wrong"), "warning": ("warn", "look at this")}


@fragment(PART)
def run_doctor(query: Query) -> Paced:
    with db.reading() as session:
        try:
            run = runs.get(session, query.number("id"))
        except StudioError:
            return Paced(Markup(""), 0)
        if run.kind != Kind.TRAIN or not run.step:
            return Paced(Markup(""), EVERY)
        told = diagnosis.of(session, run)
        body = render("run_doctor.html", run=run, readable=forms.readable, kinds=KINDS, **told)
        return Paced(body, EVERY if run_words.is_active(run) else CALM)
