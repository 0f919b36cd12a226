"""The reference of the command line: the help of each command, as it prints it."""

import click

WIDTH = 80


def reference(cli, name):
    """What `--help` says of a group and of its commands.

    Args:
        cli: click.Group.
        name: str, the program's name.

    Returns:
        str, markdown with a section for each.
    """
    root = _context(cli, name)
    sections = [_section(cli, root)]
    for command_name in cli.list_commands(root):
        command = cli.get_command(root, command_name)
        sections.append(_section(command, _context(command, command_name, parent=root)))
    return "\n\n".join(sections) + "\n"


def _context(command, name, parent=None):
    return click.Context(
        command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )


def _section(command, context):
    return f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```"
