"""The Gradio theme: our type, one accent, hairlines.

Every colour is a variable of `static/studio.css`, so light and dark are decided there and nowhere else.
"""

from app.toolkit import gr

INDIGO = gr.themes.colors.indigo
SLATE = gr.themes.colors.slate


def studio() -> gr.themes.Base:
    sans = ("Inter", "system-ui", "sans-serif")
    mono = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
    theme = gr.themes.Base(primary_hue=INDIGO, neutral_hue=SLATE, font=sans, font_mono=mono)
    return theme.set(**both(VALUES))


VALUES = {
    "body_background_fill": "var(--ground)",
    "body_text_color": "var(--ink)",
    "body_text_color_subdued": "var(--ink-2)",
    "background_fill_primary": "var(--card)",
    "background_fill_secondary": "var(--well)",
    "border_color_primary": "var(--line)",
    "border_color_accent": "var(--accent)",
    "color_accent_soft": "var(--accent-soft)",
    "block_background_fill": "transparent",
    "block_border_width": "0px",
    "block_shadow": "none",
    "block_label_background_fill": "transparent",
    "block_label_text_color": "var(--ink-2)",
    "block_title_text_color": "var(--ink)",
    "block_info_text_color": "var(--ink-2)",
    "panel_background_fill": "transparent",
    "panel_border_width": "0px",
    "input_background_fill": "var(--card)",
    "input_background_fill_focus": "var(--card)",
    "input_border_width": "1px",
    "button_border_width": "1px",
    "checkbox_border_width": "1px",
    "checkbox_label_border_width": "1px",
    "input_border_color": "var(--line-strong)",
    "input_border_color_focus": "var(--accent)",
    "input_border_color_hover": "var(--line-strong)",
    "input_placeholder_color": "var(--ink-3)",
    "input_shadow": "none",
    "input_shadow_focus": "0 0 0 3px var(--ring)",
    "button_primary_background_fill": "var(--accent)",
    "button_primary_background_fill_hover": "var(--accent-deep)",
    "button_primary_border_color": "var(--accent)",
    "button_primary_text_color": "var(--on-accent)",
    "button_secondary_background_fill": "var(--card)",
    "button_secondary_background_fill_hover": "var(--well)",
    "button_secondary_border_color": "var(--line-strong)",
    "button_secondary_text_color": "var(--ink)",
    "checkbox_background_color": "var(--card)",
    "checkbox_background_color_selected": "var(--accent)",
    "checkbox_border_color": "var(--line-strong)",
    "checkbox_border_color_selected": "var(--accent)",
    "checkbox_label_background_fill": "var(--card)",
    "checkbox_label_background_fill_hover": "var(--well)",
    "checkbox_label_background_fill_selected": "var(--accent-soft)",
    "checkbox_label_border_color": "var(--line-strong)",
    "checkbox_label_text_color": "var(--ink)",
    "checkbox_label_text_color_selected": "var(--ink)",
    "slider_color": "var(--accent)",
    "link_text_color": "var(--accent-ink)",
    "link_text_color_hover": "var(--accent-ink)",
    "link_text_color_visited": "var(--accent-ink)",
    "link_text_color_active": "var(--accent-ink)",
    "code_background_fill": "var(--well)",
    "stat_background_fill": "var(--accent-soft)",
}


def both(values: dict[str, str]) -> dict[str, str]:
    """The same value for light and dark: the variables behind them change, not the theme."""
    return values | {f"{name}_dark": value for name, value in values.items()}
