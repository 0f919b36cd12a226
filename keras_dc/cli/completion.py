"""`keras-dc completion`."""

import click
from click import shell_completion

from keras_dc.cli import answers


@answers.command(
    "completion",
    options=[click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))],
)
def completion(shell):
    """Print the script that completes commands, options and files by the tab key.

    Put one of these where your shell starts:
      bash: echo 'eval "$(keras-dc completion bash)"' >> ~/.bashrc
      zsh:  echo 'eval "$(keras-dc completion zsh)"' >> ~/.zshrc
      fish: keras-dc completion fish > ~/.config/fish/completions/keras-dc.fish
    """
    cli = click.get_current_context().find_root().command
    made = shell_completion.get_completion_class(shell)(cli, {}, "keras-dc", "_KERAS_DC_COMPLETE")
    # Its `source` runs bash first, to warn of old ones.
    script = made.source_template % made.source_vars()
    return answers.Answer({"shell": shell, "script": script}, [script])
