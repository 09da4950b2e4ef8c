"""The command line: the same functions as pages and API.

Every command takes `--json`. Exit codes: 0 done, 2 refused with a message on stderr. Anything else is a bug.
"""

import click

from app.cli import catalogue, climbing, grading, metrics, starting
from app.cli.speech import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tunesmith")
def main() -> None:
    """Tunesmith: a studio for fine-tuning language models, on your own machines."""


for command in (
    *starting.COMMANDS,
    *catalogue.COMMANDS,
    *grading.COMMANDS,
    *metrics.COMMANDS,
    *climbing.COMMANDS,
):
    main.add_command(command)
