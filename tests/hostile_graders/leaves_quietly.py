# expect: ended
"""Ends its process as if all were well."""

import os


def grade(sample, item):
    os._exit(0)
