"""What MkDocs calls: pages that are made of other files of the repository.

Tutorials and the command line have their text where they are, so that it is told once.
"""

import pathlib
import re

import command_help
import tutorial_pages
from mkdocs.structure.files import File

from keras_dc.cli.main import cli

ROOT = pathlib.Path(__file__).parents[2]
TUTORIALS = ROOT / "tutorials"


def on_config(config):
    """Put the tutorials into the navigation, in the place that is kept for them."""
    scripts = tutorial_pages.scripts(TUTORIALS)
    entries = [{tutorial_pages.label(path): f"tutorials/{path.stem}.md"} for path in scripts]
    [place] = [entry for entry in config.nav if entry == {"Tutorials": "tutorials/"}]
    place["Tutorials"] = [{"All": "tutorials/index.md"}, *entries]
    return config


def on_files(files, config):
    """Add the pages that are made."""
    for name, content in made_pages().items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown, page, **_):
    """Put the help of all commands below what the page of the command line says."""
    if page.file.src_uri == "command_line.md":
        markdown += "\n" + command_help.reference(cli, "keras-dc")
    return markdown


def on_page_content(html, **_):
    """Take away the dash behind the type of what a function returns, where no type stands."""
    return re.sub(r'(<li class="doc-section-item field-body">\s*)\u2013', r"\1", html)


def made_pages():
    """Pages that no file of `docs` holds: dict from paths in the site to markdown."""
    overview = (TUTORIALS / "README.md").read_text()
    pages = {"tutorials/index.md": tutorial_pages.linked_to_pages(overview)}
    for path in tutorial_pages.scripts(TUTORIALS):
        pages[f"tutorials/{path.stem}.md"] = tutorial_pages.page(path.read_text(), path.name)
    return pages
