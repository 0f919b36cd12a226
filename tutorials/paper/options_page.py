"""Tables of docs/options.md: of `options` and `distillation`.

cd tutorials && python -m paper.options_page
"""

import json
import pathlib

from paper import distillation, options, paper_tables

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "options.md"


def runs(path):
    """The runs of a file of results: list of dicts."""
    return list(json.loads(path.read_text())["runs"].values())


def in_page(text):
    """The page with its tables made anew: str.

    Args:
        text: str with places `<!-- options NAME -->` and `<!-- distillation -->`.
    """
    of_options = runs(options.RESULTS)
    for name in options.NETWORKS:
        text = paper_tables.put(text, f"options {name}", options.table(of_options, name))
    return paper_tables.put(text, "distillation", distillation.table(runs(distillation.RESULTS)))


def main():
    PAGE.write_text(in_page(PAGE.read_text()))


if __name__ == "__main__":
    main()
