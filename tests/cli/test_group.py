"""The command group: light, complete, and every help ends with an example."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys

import click
import pytest

from edgekit import __version__
from edgekit.cli.border import run
from edgekit.cli.group import COMMANDS


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert name in out
        assert entry.summary in out
    assert out.rstrip().splitlines()[-1].strip().startswith("Example: edgekit ")


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"edgekit {__version__}\n"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_commands_help_begins_with_its_summary_and_ends_with_an_example(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    module, _, attribute = COMMANDS[name].reference.partition(":")
    made = getattr(importlib.import_module(module), attribute)
    assert isinstance(made, click.Command)
    assert (made.help or "").partition("\n")[0] == COMMANDS[name].summary
    assert run([*name.split(), "--help"]) == 0
    assert f"Example: edgekit {name}" in capsys.readouterr().out.rsplit("\n\n", 1)[-1]


def test_the_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from edgekit.cli.border import run; run(['--help'])\n"
        "print('imported:', *{'numpy', 'rich', 'onnx', 'onnxruntime', 'asyncio', 'importlib.metadata'} & set(sys.modules))"
    )
    finished = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert finished.stdout.splitlines()[-1] == "imported:"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert run(["completion", shell]) == 0
    assert "_EDGEKIT_COMPLETE" in capsys.readouterr().out


def test_completion_of_commands_comes_from_the_table() -> None:
    assert completed("edgekit co", 1) == ["plain,convert", "plain,compile", "plain,completion"]


def test_a_command_of_two_words_is_completed_as_itself() -> None:
    assert completed("edgekit bench", 1) == ["plain,bench"]
    assert completed("edgekit bench compare --limit", 3) == ["plain,--limit-regression"]


def completed(words: str, current: int) -> list[str]:
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(current), "_EDGEKIT_COMPLETE": "bash_complete", "PATH": ""}
    code = "from edgekit.cli import main; import sys; sys.argv = ['edgekit']; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()
