"""The house: what Tunesmith knows and remembers. Imports neither a web framework nor torch."""
