# expect: score 0
"""Looks for homes, data, mounts, logs and sockets of services."""

import os

PLACES = ["home", "ro" + "ot", "data", "mnt", "media", "srv", "opt", "run", "sys", "boot", "etc", "var"]


def grade(sample, item):
    return sum(os.path.exists(f"/{place}") for place in PLACES) + os.path.exists(item["folder"])
