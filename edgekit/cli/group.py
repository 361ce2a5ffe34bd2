"""The command group: a table of commands, each imported when it is called."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import click
from click.shell_completion import CompletionItem

from edgekit import __version__
from edgekit.cli.command import debug_option, quiet_option
from edgekit.cli.console import Console
from edgekit.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command is (``module:attribute``) and the line that ``edgekit --help`` shows for it."""

    reference: str
    summary: str


# A name of two words is a command beside the one of its first word: `bench FILE...` and `bench compare OLD NEW`.
COMMANDS = {
    "convert": LazyCommand(
        "edgekit.cli.convert:convert", "Convert a model to int8 TFLite and ONNX files and check them."
    ),
    "check": LazyCommand("edgekit.cli.check:check", "Measure a file's accuracy and agreement with another model."),
    "run": LazyCommand("edgekit.cli.run:run", "Run a model file on arrays and write its outputs."),
    "bench": LazyCommand("edgekit.cli.bench:bench", "Time model files against one another."),
    "bench compare": LazyCommand(
        "edgekit.cli.bench_compare:compare", "Say whether the times of two runs of bench differ."
    ),
    "results": LazyCommand("edgekit.cli.results:results", "List, query and plot what bench measured over time."),
    "inspect": LazyCommand("edgekit.cli.inspect:inspect", "Show what a .tflite or .onnx file holds."),
    "compile": LazyCommand("edgekit.cli.compile:compile_command", "Compile a .tflite or .onnx file for an NPU or GPU."),
    "runtimes": LazyCommand("edgekit.cli.runtimes:runtimes", "List the runtimes and what they can use here."),
    "targets": LazyCommand("edgekit.cli.targets:targets", "List the device profiles, or show one."),
    "devices": LazyCommand("edgekit.cli.devices:devices", "Keep a list of boards and set them up."),
    "completion": LazyCommand("edgekit.cli.completion:completion", "Print the completion script for a shell."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by the table alone and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.reference.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises UnknownNameError, which suggests the nearest command."""
        two_words = " ".join(args[:2])
        if len(args) > 1 and two_words in COMMANDS:
            return two_words, self.get_command(ctx, two_words), args[2:]
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UnknownNameError("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name from the table, without importing a command."""
        fitting = [(n, c) for n, c in COMMANDS.items() if n.startswith(incomplete) and " " not in n]
        names = [CompletionItem(n, help=c.summary) for n, c in fitting]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    epilog="\b\nExample: edgekit convert model.keras --calibrate samples.npz -o out/",
)
@click.version_option(__version__, message="edgekit %(version)s")
@quiet_option
@debug_option
@click.pass_context
def edgekit_group(ctx: click.Context) -> None:
    """Quantize a trained network to int8 once, write TFLite and ONNX, run and check both."""
    if ctx.invoked_subcommand is None:
        ctx.ensure_object(Console).out(ctx.get_help())
