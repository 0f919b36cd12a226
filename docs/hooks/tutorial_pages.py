"""Pages made of the tutorials: a script's text cells become text, its code cells code.

Scripts are in the "percent" form of jupytext, or plain: then the docstring is the text.
"""

import ast
import re
import textwrap

TEXT_CELL, CODE_CELL = "# %% [markdown]", "# %%"
_LINK = re.compile(r"\]\((\w+)\.py\)")


def scripts(folder):
    """The tutorials in their order: the quickstart, then the numbered ones.

    Args:
        folder: pathlib.Path of `tutorials`.

    Returns:
        list of pathlib.Path.
    """
    return [folder / "quickstart.py", *sorted(folder.glob("[0-9]*.py"))]


def label(path):
    """What the navigation calls a tutorial: "7. Over the air" for 07_over_the_air.py."""
    number, _, name = path.stem.partition("_") if path.stem[0].isdigit() else ("1", "", path.stem)
    words = name.replace("_", " ")
    words = words[0].upper() + words[1:]
    return f"{int(number)}. {words.replace('tflite', '.tflite').replace('tfmot', 'TFMOT')}"


def page(source, name):
    """A tutorial as a page.

    Args:
        source: str, the script.
        name: str, its file's name.

    Returns:
        str, markdown.
    """
    is_percent = any(line == TEXT_CELL for line in source.splitlines())
    body = _of_cells(source) if is_percent else _of_docstring(source)
    heading, _, rest = body.partition("\n")
    file = f"*This page is made from `tutorials/{name}`, which runs as it is.*"
    return linked_to_pages(f"{heading}\n\n{file}\n{rest}")


def linked_to_pages(markdown):
    """Markdown whose links to scripts of its folder lead to their pages."""
    return _LINK.sub(r"](\1.md)", markdown)


def _of_cells(source):
    parts, lines, is_text = [], [], False
    for line in [*source.splitlines(), CODE_CELL]:
        if line not in (TEXT_CELL, CODE_CELL):
            lines.append(re.sub("^# ?", "", line) if is_text else line)
            continue
        content = "\n".join(lines).strip("\n")
        if content:
            parts.append(content if is_text else f"```python\n{content}\n```")
        lines, is_text = [], line == TEXT_CELL
    return "\n\n".join(parts) + "\n"


def _of_docstring(source):
    tree = ast.parse(source)
    title, _, text = ast.get_docstring(tree).partition("\n")
    code = "\n".join(source.splitlines()[tree.body[0].end_lineno :]).strip("\n")
    return f"# {title.rstrip('.')}\n{textwrap.dedent(text)}\n\n```python\n{code}\n```\n"
