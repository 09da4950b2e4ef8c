"""`python -m app.cli` is `tunesmith`."""

from app.cli import main

main()
