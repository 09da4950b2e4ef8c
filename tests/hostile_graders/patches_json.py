# expect: nonsense
"""Replaces what writes the reply."""

import json


def grade(sample, item):
    json.dumps = lambda *_: '{"id": 1, "score": [[["owned"]]]}'
    return 0.0
