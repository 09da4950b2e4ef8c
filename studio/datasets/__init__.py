"""Datasets: read what people bring, say what it is, and turn it into rows of one shape.

`readers` open containers, `formats` recognise and normalise rows, `shapes` say what a row must be,
`checks` and `statistics` look at the rows, `inspection` does all of it in one pass, `split` divides
the result. All of these are pure functions over files; only `library` knows the database.
"""
