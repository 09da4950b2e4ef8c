# expect: refused or error
"""Starts a pool of processes."""

import multiprocessing


def grade(sample, item):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        return sum(pool.map(abs, range(10)))
