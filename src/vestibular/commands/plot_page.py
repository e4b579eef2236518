"""A page for `dvc plots show` that needs no network, unlike DVC's own, which downloads code.

    python -m vestibular.commands.plot_page

Written once, when the project is installed; `.dvc/config` names it as `plots.html_template`.
"""

from pathlib import Path

import vl_convert

from vestibular.core.files import atomic_file

PAGE = Path(".dvc/plots/page.html")

_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
{refresh_tag}
<title>Vestibular: plots</title>
<style>body {{ font-family: sans-serif; margin: 2rem; }}</style>
<script>{code}</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def main() -> None:
    """Write the page of the current folder's project."""
    write_page(Path())


def write_page(folder: Path) -> None:
    """Write the page of a project, including Vega-Lite's code."""
    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    page = _HTML.format(
        # a script ends at the first such tag, wherever it is
        code=code.replace("</script", "<\\/script"),
        refresh_tag="{refresh_tag}",
        plot_divs="{plot_divs}",
    )
    with atomic_file(folder / PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
