# expect: error
"""Holds nothing that grades."""

GRADE = 1.0
