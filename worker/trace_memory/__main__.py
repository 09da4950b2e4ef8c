"""`python -m worker.trace_memory RUN_FOLDER`."""

import sys

from worker.trace_memory import main

raise SystemExit(main(sys.argv[1:]))
