"""How Sphinx builds the documents: `make docs`.

Nothing is fetched: the theme brings its own style and script, the fonts are the reader's own, and
the search runs in the browser. Warnings are errors, and so is a page that loads something from
elsewhere (`extensions/offline.py`).
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

project = "Vestibular"
author = "the Vestibular contributors"
copyright = "the Vestibular contributors, Apache-2.0"  # noqa: A001 - Sphinx reads this name

extensions = ["myst_parser", "extensions.generated", "extensions.offline"]
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["deflist"]
# so that `page.md#a-heading` is checked
myst_heading_anchors = 4

html_theme = "furo"
html_title = "Vestibular"
html_copy_source = False
html_show_sourcelink = False
# a page that is opened as a file may not read others, of which the search would show parts
html_show_search_summary = False
html_theme_options = {"top_of_page_buttons": []}
