"""Documents to search, for models that should look things up instead of recalling them."""

from studio.environments.base import Environment, Tool
from studio.parameters import Parameters, setting


class LookupParameters(Parameters):
    column: str = setting(
        "documents",
        "Column with the documents",
        "A column of the rows: a text, or a list of texts, of documents with title and text, or of the rows "
        "of a table.",
        min_length=1,
        max_length=200,
    )
    lines: int = setting(
        3,
        "Lines found",
        "Lines that a search returns at most.",
        unit="lines",
        source="Search-R1 (arXiv 2503.09516) returns 3 passages",
        ge=1,
        le=50,
    )


ENVIRONMENT = Environment(
    name="lookup",
    title="Lookup",
    help="Searches the documents that stand in the row, and opens them. The same search finds "
    "the same lines.",
    factory="worker.environments.lookup:Lookup",
    parameters=LookupParameters,
    tools=(
        Tool("search", "The lines that match words best (BM25), with the number of their document."),
        Tool("open_document", "The whole text of one document, by its number."),
    ),
    order=20,
)
