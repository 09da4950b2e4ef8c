"""Commands that start the studio and look after its machine."""

import ctypes
import os
import sys
from typing import Any

import click

from app.cli.speech import answer
from studio.errors import StudioError

M_ARENA_MAX = -8  # of glibc's malloc.h


@click.command()
@click.option(
    "--open/--no-open", "open_browser", default=True, help="Open the page where there is a desktop."
)
def up(open_browser: bool) -> None:
    """Start everything on this machine: database, broker, web and worker. Ctrl-C stops it."""
    from app import launcher

    launcher.prepare()
    launcher.Studio().run("/", open_browser=open_browser)


@click.command()
@click.option(
    "--open/--no-open", "open_browser", default=True, help="Open the page where there is a desktop."
)
def demo(open_browser: bool) -> None:
    """Like `up`, with the synthetic sample use case loaded and its first run started."""
    from app import launcher
    from studio import sample

    launcher.prepare()
    run_id = sample.start()
    launcher.Studio().run(f"/run?id={run_id}", open_browser=open_browser)


@click.command()
def web() -> None:
    """Start the web process alone (for a served studio)."""
    import uvicorn

    from app import launcher
    from studio import db, migration, settings, users

    _demand_tables(*migration.current())
    with db.reading() as session:
        launcher.check_door(users.any_exist(session))
    _share_heaps()
    known = settings.get()
    uvicorn.run(
        "app.main:build",
        factory=True,
        host=known.host,
        port=known.port,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )


@click.command()
def worker() -> None:
    """Start a worker alone: it joins the studio whose database and broker the settings name."""
    from app import launcher
    from studio import migration

    _demand_tables(*migration.current())
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execv(sys.executable, launcher.worker_command())


def _share_heaps() -> None:
    """Two heaps for all threads. With one each, as glibc likes it, what they freed stays theirs: in use the
    web process grew from 334 to 369 MB, and with two from 292 to 304 MB."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_ARENA_MAX, 2)


def _demand_tables(at: str | None, wanted: str | None) -> None:
    if at != wanted:
        raise StudioError("The database is not at this version's tables.", hint="Run: tunesmith migrate")


@click.command()
@answer(lambda data: f"The database is at {data['now']}.")
def migrate() -> dict[str, Any]:
    """Bring the database to this version's tables, and create what a new studio needs."""
    from app import launcher
    from studio import migration

    before = migration.current()[0]
    launcher.prepare()
    return {"before": before, "now": migration.current()[0]}


@click.command()
@answer(lambda data: "\n".join(f"{'ok  ' if c['ok'] else 'BAD '} {c['check']}: {c['says']}" for c in data))
def doctor() -> list[dict[str, Any]]:
    """Check this machine: versions, folder, database, broker, devices."""
    from app import checkup

    return checkup.all_checks()


@click.group()
def user() -> None:
    """People who may log in."""


@user.command("add")
@click.argument("name")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
@answer(lambda data: f"{data['name']} may log in.")
def user_add(name: str, password: str) -> dict[str, Any]:
    """Add somebody, or give them a new password. From then on the studio asks for a login."""
    from studio import db, users

    with db.transaction() as session:
        return {"name": users.put(session, name, password).name}


@user.command("token")
@click.argument("name")
@click.option("--days", type=click.FloatRange(0.01, 3650), default=90.0, show_default=True)
@answer(lambda data: str(data["token"]))
def user_token(name: str, days: float) -> dict[str, Any]:
    """Print a token for scripts: `Authorization: Bearer <token>`. A new password makes it void."""
    from app import security
    from studio import db, users

    with db.reading() as session:
        return {"name": name, "token": security.token(users.find(session, name), days)}


COMMANDS = (up, demo, web, worker, migrate, doctor, user)
