"""``edgekit completion``: the script that completes commands and options in a shell."""

from __future__ import annotations

import click

from edgekit.cli.command import command
from edgekit.cli.console import Console

SHELLS = ("bash", "zsh", "fish")


@command(example="edgekit completion bash >> ~/.bashrc", json=False)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(console: Console, shell: str) -> None:
    """Print the completion script for a shell.

    bash: edgekit completion bash >> ~/.bashrc

    zsh: edgekit completion zsh >> ~/.zshrc

    fish: edgekit completion fish > ~/.config/fish/completions/edgekit.fish
    """
    from click.shell_completion import get_completion_class

    from edgekit.cli.group import edgekit_group

    kind = get_completion_class(shell)
    assert kind is not None
    console.out(kind(edgekit_group, {}, "edgekit", "_EDGEKIT_COMPLETE").source())
