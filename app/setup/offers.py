"""What can be chosen for a new run: techniques with the data that fits them, models, versions of datasets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.parts import finding
from app.parts.words import short
from studio import techniques, weights
from studio.datasets.shapes import SHAPES
from studio.errors import NotFound
from studio.models import Dataset, DatasetVersion, Kind, Model, Run
from studio.runs import GOING
from studio.techniques import Technique

OTHER = "other"  # the option behind which a folder or a hub id is typed
MOST_NEXT = 2  # techniques of a group that are suggested after a run


@dataclass(frozen=True)
class Version:
    """A dataset version as far as a form needs it; its report may be large and stays where it is."""

    id: int
    dataset_id: int
    dataset: str
    number: int
    shape: str
    rows: int
    sha256: str

    @property
    def title(self) -> str:
        return f"{self.dataset} · v{self.number}"

    @property
    def has(self) -> str:
        """What its rows are, in words."""
        return SHAPES[self.shape].title.lower() if self.shape in SHAPES else self.shape

    @property
    def label(self) -> str:
        return f"{self.title} – {self.rows:,} rows, {self.has}"


@dataclass(frozen=True)
class Misfit:
    version: Version
    why_not: str


@dataclass(frozen=True)
class Option:
    """One line of a dropdown; lines of one `group` stand together."""

    value: str
    label: str
    group: str = ""


@dataclass(frozen=True)
class Offer:
    """A technique, and the person's newest dataset versions it could learn from."""

    technique: Technique
    fitting: Sequence[Version] = field(default_factory=tuple)

    @property
    def words(self) -> str:
        return finding.words_of(self.technique)

    @property
    def needs(self) -> str:
        return " or ".join(SHAPES[shape].title.lower() for shape in self.technique.shapes if shape in SHAPES)


# ---- data ---------------------------------------------------------------------------------------------


def versions(session: Session) -> list[Version]:
    """Every version: the newest dataset first, of each the newest version first."""
    made = DatasetVersion
    columns = (made.id, made.dataset_id, Dataset.name, made.number, made.shape, made.rows, made.sha256)
    wanted = select(*columns).join(Dataset).order_by(Dataset.id.desc(), made.number.desc())
    return [Version(*row) for row in session.execute(wanted)]


def sift(every: Iterable[Version], shapes: Sequence[str]) -> tuple[list[Version], list[Misfit]]:
    """Those of one of the shapes, and the others with what they lack."""
    titles = " or ".join(SHAPES[shape].title.lower() for shape in shapes if shape in SHAPES)
    fitting: list[Version] = []
    others: list[Misfit] = []
    for version in every:
        if not shapes or version.shape in shapes:
            fitting.append(version)
        else:
            others.append(Misfit(version, f"has {version.has}; needs {titles}"))
    return fitting, others


def shapes_for(technique: Technique, role: str) -> tuple[str, ...]:
    """The shapes that fit as its `dataset`, its `held_out` data or the input of that name."""
    if role in ("dataset", "held_out"):
        return technique.shapes + (technique.held_out_shapes if role == "held_out" else ())
    return next((each.shapes for each in technique.inputs if each.name == role), ())


# ---- techniques ---------------------------------------------------------------------------------------


def shelves(every: Sequence[Version]) -> list[tuple[str, list[Offer]]]:
    """(group, its techniques with the data that fits)."""
    return [
        (group, [Offer(technique, newest_fitting(technique, every)) for technique in members])
        for group, members in finding.shelves()
    ]


def newest_fitting(technique: Technique, every: Sequence[Version]) -> list[Version]:
    """Of each dataset the newest version the technique can learn from."""
    found: dict[int, Version] = {}
    for version in every:
        if version.shape in technique.shapes:
            found.setdefault(version.dataset_id, version)
    return list(found.values())


def next_techniques(session: Session, before: Technique | None) -> list[Offer]:
    """What usually follows a run of this technique, two of each group: first what there is data for, and a
    reward model before what needs one."""
    every = versions(session)
    found: list[Offer] = []
    for _, members in finding.shelves(each for each in techniques.all() if follows(each, before)):
        offers = [Offer(each, newest_fitting(each, every)) for each in members]
        offers.sort(key=lambda offer: (not offer.fitting, offer.technique.model != "reward"))
        found += offers[:MOST_NEXT]
    return sorted(found, key=lambda offer: (not offer.fitting, offer.technique.phase))


def follows(technique: Technique, before: Technique | None) -> bool:
    """Whether it lies further up the ladder; after a reward model, whether it can follow that reward; after
    running text, whether it teaches to answer."""
    if before is None or technique.name == before.name or before.model in ("embedding", "classifier"):
        return False
    if before.model == "reward":
        return technique.graded and technique.phase >= before.phase
    if technique.model in ("embedding", "classifier"):
        return False
    return technique.phase > before.phase or (before.reads == "text" and technique.reads == "answers")


# ---- models -------------------------------------------------------------------------------------------


def known_model(session: Session, reference: str) -> Model | None:
    """The registered model, or None for a folder or hub id that is new, and for the result of a run."""
    try:
        return weights.find(session, reference) if reference.isdigit() else _by_name(session, reference)
    except NotFound:
        return None


def _by_name(session: Session, reference: str) -> Model | None:
    return session.scalar(select(Model).where((Model.name == reference) | (Model.source == reference)))


def models(session: Session, kinds: frozenset[str] = frozenset()) -> list[Option]:
    """The studio's models of these kinds (none: of any), and what runs that are not done yet will make."""
    found = [
        Option(str(model.id), label_of(model), "Made here" if model.run_id else "Base models")
        for model in weights.listed(session)
        if not kinds or model.kind in kinds
    ]
    return found + [
        Option(f"run:{run.id}", f"Result of run {run.id}: {run.name} ({run.state})", "Runs still going")
        for run in going(session)
        if not kinds or made_by(run) in kinds
    ]


def going(session: Session) -> list[Run]:
    wanted = select(Run).where(Run.kind == Kind.TRAIN, Run.state.in_(GOING))
    return list(session.scalars(wanted.order_by(Run.id.desc()).options(selectinload(Run.model))))


def made_by(run: Run) -> str:
    """The kind of model the run will make."""
    return techniques.get(run.technique).model if techniques.has(run.technique) else "language"


def startable(technique: Technique) -> frozenset[str]:
    """The kinds of model the technique can start from."""
    return frozenset({"language", technique.model} - {"classifier"})


def label_of(model: Model) -> str:
    size = f"{short(model.parameters)} parameters" if model.parameters else "size not known yet"
    kind = f"{model.kind}, " if model.kind != "language" else ""
    return f"{model.name} – {kind}{size}" + (f", from run {model.run_id}" if model.run_id else "")
