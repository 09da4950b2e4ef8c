"""The maturity decision guide: eight plain questions, one recommended next step, every word traceable.

`questions` reads answers, `rules` decides, `card` shows. All words and numbers live in `guide.json`; the
guide touches no database, no dataset and no model.
"""
