"""Pages whose links and filters change only the address; see static/stay.js. A helper, no page."""

from app.parts import assets
from app.toolkit import gr


def stay() -> None:
    """Loads the script on the page that is being built."""
    gr.HTML(
        '<span class="hidden" aria-hidden="true"></span>',
        js_on_load=f'import("{assets.address("stay.js")}")',
        apply_default_css=False,
        padding=False,
        elem_classes="nothing",
    )
