"""Which runs a person looks for: words of the name, model, data, technique and tags, and `setting:value`."""

from studio.comparison.settings import settings_of, titles, worded
from studio.models import Run

TAG, SWEEP, USE_CASE = "tag", "sweep", "use-case"


def is_wanted(run: Run, search: str, said: str = "") -> bool:
    """Every word of the search must hold: `tag:pilot`, `sweep:3`, `use-case:2` and `learning_rate:0.0001` are
    looked up in the run, all others must stand in what its row shows, which is that and `said`."""
    return all(_holds(run, word, said) for word in search.lower().split())


def _holds(run: Run, word: str, said: str) -> bool:
    name, has_name, value = word.partition(":")
    if has_name and value and (found := _named(run, name)) is not None:
        return any(_is(value, each) for each in found)
    return word in _row(run, said)


def _named(run: Run, name: str) -> list[str] | None:
    """The values of what is called so; None where nothing is."""
    own = {
        TAG: run.tags,
        SWEEP: [str(run.sweep_id or "")],
        USE_CASE: [str(run.project_id or "")],
        "state": [run.state.value],
    }
    if name in own:
        return [each.lower() for each in own[name]]
    settings = settings_of(run)
    called = titles([run])
    for setting, value in settings.items():
        if name in (setting.lower(), called.get(setting, "").lower().replace(" ", "_")):
            return [worded(value).lower()]
    return None


def _is(wanted: str, found: str) -> bool:
    """Numbers by what they mean, so that 1e-4 finds 0.0001; texts by their words without spaces."""
    try:
        return float(wanted) == float(found)
    except ValueError:
        return found.replace(" ", "_") == wanted.replace(" ", "_")


def _row(run: Run, said: str) -> str:
    model = run.model.name if run.model else ""
    data = run.dataset_version.title if run.dataset_version else ""
    return " ".join([run.name, run.technique, run.adapter, model, data, *run.tags, said]).lower()
