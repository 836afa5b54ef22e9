"""What only some readers want to see."""

import html

from IPython.display import HTML


def folded(summary, table):
    """A DataFrame on the page below a line of text that opens it, as HTML."""
    inside = table.to_html(index=False, float_format="{:.3g}".format)
    return HTML(f"<details><summary>{html.escape(summary)}</summary>{inside}</details>")
