# expect: error
"""Ends the program in its first lines."""

raise SystemExit("nothing to see here")
