"""Whatever is answered: the guide gives one recommendation, a reason, a next step, and flips that are true.

    python benchmarks/guide_answers.py [--count 100000]

Answers are drawn from options, bounds, thresholds and their neighbours, a third of them unknown. Of every
tenth the flips are tried out and the card is worded. Goals: at least 100,000 draws without an exception, a
missing reason or step, or a flip that gives another technique than it says; every technique and every rule
decides at least once.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from studio.guide.card import make_card, to_markdown
from studio.guide.document import load
from studio.guide.questions import read_answers
from studio.guide.rules import Recommendation, recommend, technique_of
from tests.studio.guide.test_guide_rules import draw_answers

WHOLE = 10  # of so many draws one is looked at in full


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--count", type=int, default=100_000)
    count = options.parse_args().count
    rules: Counter[str] = Counter()
    techniques: Counter[str] = Counter()
    flips, wrong = 0, []
    began = time.perf_counter()
    for number, data in zip(range(count), draw_answers(random.Random(4)), strict=False):
        result = recommend(read_answers(data))
        rules[result.rule] += 1
        techniques[result.technique] += 1
        if not (result.next_step and result.reasons and all(result.reasons)):
            wrong.append(f"no reason or next step: {data}")
        if number % WHOLE == 0:
            flips += len(result.flips)
            wrong += faults(result)
    guide = load()
    missing = ({*guide.techniques} - {*techniques}) | ({rule.id for rule in guide.rules} - {*rules})
    told = {"draws": count, "flips_tried": flips, "wrong": len(wrong), "never_given": sorted(missing)}
    print(json.dumps(told | {"seconds": round(time.perf_counter() - began)}))
    for fault in wrong[:5]:
        print(fault)
    sys.exit(bool(wrong or (missing and count >= 100_000)))


def faults(result: Recommendation) -> list[str]:
    text = to_markdown(make_card(result))
    found = [f"a hole in the card: {result.answers}"] if "{" in text or "None" in text else []
    for flip in result.flips:
        given = technique_of(read_answers(result.answers | {flip.field: flip.value}))
        if given != flip.technique:
            found.append(f"{flip.text} but it is {given}: {result.answers}")
    return found


if __name__ == "__main__":
    main()
