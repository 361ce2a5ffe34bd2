"""``edgekit convert --prune`` as a user runs it, and what the report says of each stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conversion import convert
from prunable_networks import feeds_for, mobile

from edgekit.errors import RecipeError
from edgekit.pruning import Pruning
from edgekit.recipe import Precision, recipe_from_dict
from edgekit_converters.quantize.quant_plan import QuantPlan
from edgekit_converters.writers.tflite import TfliteOptions, write_tflite


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mobile")
    hub = mobile()
    (folder / "net.onnx").write_bytes(hub.to_bytes())
    np.savez(folder / "samples.npz", **feeds_for(hub, 1, 48))
    return folder


def pruned(network: Path, out: Path, *options: str):
    return convert(network / "net.onnx", out, "--calibrate", str(network / "samples.npz"), *options)


@pytest.mark.slow
def test_the_report_has_each_stage_and_the_same_without_pruning(network: Path, tmp_path: Path) -> None:
    made = pruned(network, tmp_path / "out", "--prune", "20%", "--to", "onnx", "--force")
    assert made.code == 0, made.err
    roles = [entry["role"] for entry in made.document["entries"]]
    assert roles == ["original", "float", "unpruned", "pruned", "artifact"]
    before, after = made.document["pruning"]["macs"]
    assert after <= 0.8 * before
    assert "prune" in [stage["name"] for stage in made.document["stages"]]
    assert made.manifest("net.int8.onnx")["recipe"]["prune"]["macs"] == 0.2


def test_a_goal_of_size_is_kept_by_the_written_file(network: Path, tmp_path: Path) -> None:
    write_tflite(mobile(), QuantPlan(Precision.FLOAT32), tmp_path / "whole.tflite", TfliteOptions())
    limit = int(0.8 * (tmp_path / "whole.tflite").stat().st_size)
    options = ("--to", "tflite", "--precision", "float32", "--no-checks", "--force")
    made = pruned(network, tmp_path / "out", "--prune", f"size={limit}", *options)
    assert made.code == 0, made.err
    assert (tmp_path / "out" / "net.float32.tflite").stat().st_size <= limit


@pytest.mark.parametrize(("goal", "found"), [("size=60MB", "bytes a file"), ("latency=10min", "ms a call")])
def test_a_goal_that_is_reached_already_removes_nothing(network: Path, tmp_path: Path, goal: str, found: str) -> None:
    made = pruned(network, tmp_path / "out", "--prune", goal, "--to", "onnx", "--precision", "float32", "--no-checks")
    assert made.code == 1
    assert "nothing was pruned: the network takes" in made.err
    assert f"{found} as it is" in made.err
    assert not list(tmp_path.rglob("*.onnx"))


@pytest.mark.parametrize(
    ("goal", "found"),
    [
        ("lots", "'lots' is not a goal; write 30%"),
        ("macs=30%", "is not a goal"),
        ("units=lots", "is not a goal"),
        ("latency=3 pounds", "is not understood as duration"),
        ("0%", "'0%' is 0 %"),
        ("100%", "'100%' is 100 %"),
        ("30", "'30' is 3000 %; more than 0 and less than 100 % can go, as in 30%"),
        ("units=100%", "is 100 %"),
        ("size=0", "'size=0' is nothing"),
        ("latency=0ms", "is nothing"),
    ],
)
def test_a_goal_that_makes_no_sense_is_told_as_it_was_written(goal: str, found: str, capsys) -> None:
    from edgekit.cli.border import run

    assert run(["convert", "net.onnx", "-o", "out", "--prune", goal]) == 2
    assert found in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ({"macs": "30%"}, r"r.toml: \[prune\]: macs is '30%'; expected a number"),
        ({"macs": 30}, r"r.toml: \[prune\]: macs is 30; expected a part between 0 and 1"),
        ({"macs": 0.3, "repair": "no"}, "repair is 'no'; expected true or false"),
        ({"importance": "taylor"}, r"\[prune\]: pruning has nothing for its goal"),
        ({"size-bytes": 10.5}, "size-bytes is 10.5; expected a whole number"),
        ({"macs": 0.3, "rules": {"scope": "a"}}, r"expected \[\[prune.rules\]\]"),
        ({"macs": 0.3, "rules": [{"most": 0.5}]}, r"\[\[prune.rules\]\] 1 has no 'scope'"),
        ({"macs": 0.3, "rules": [{"scope": "a", "most": 50}]}, r"\[\[prune.rules\]\] 1: most is 50 for 'a'"),
    ],
)
def test_a_wrong_entry_of_a_recipe_is_told_with_its_place(entries: dict[str, object], found: str) -> None:
    with pytest.raises(RecipeError, match=found):
        recipe_from_dict({"prune": entries}, "r.toml")


def test_pruning_is_an_entry_of_recipes() -> None:
    rules = [{"scope": "head*", "most": 0.0}]
    recipe = recipe_from_dict({"prune": {"latency-ms": 3.5, "rules": rules}}, "r.toml")
    assert recipe.prune is not None
    assert (recipe.prune.latency_ms, recipe.prune.most_of("head/1", 8), recipe.prune.most_of("tail", 8)) == (3.5, 0, 8)
    with pytest.raises(RecipeError, match="unknown key 'speed'"):
        recipe_from_dict({"prune": {"macs": 0.3, "speed": 1}}, "r.toml")


def test_a_dry_run_lists_what_can_go_as_a_whole(network: Path, tmp_path: Path) -> None:
    made = convert(network / "net.onnx", tmp_path / "out", "--dry-run", "--prune", "20%")
    blocks = made.document["prunable"]["blocks"]
    assert [block["name"] for block in blocks] == ["Conv_2 ... Conv_6", "Conv_12 ... Conv_16"]
    assert blocks[1]["layers"][0] == "Conv_12"


def test_a_recipe_removes_a_block_by_its_layers(network: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "blocks.toml"
    recipe.write_text('[[prune.rules]]\nscope = "Conv_1[2-6]"\nremove = true\n', "utf-8")
    options = ("--recipe", str(recipe), "--to", "onnx", "--precision", "float32", "--no-checks", "--force")
    made = pruned(network, tmp_path / "out", *options)
    assert made.code == 0, made.err
    (block,) = made.document["pruning"]["blocks"]
    assert (block["name"], block["by_rule"]) == ("Conv_12 ... Conv_16", True)
    assert made.document["pruning"]["layers"] == []
    assert made.manifest("net.float32.onnx")["recipe"]["prune"]["rules"][0]["remove"] is True


def test_a_part_of_the_units_is_a_goal_of_the_command_line_and_of_recipes() -> None:
    from edgekit.cli.parameters import PRUNE_GOAL

    assert PRUNE_GOAL.convert("units=25%", None, None) == {"units": 0.25}
    recipe = recipe_from_dict({"prune": {"units": 0.25, "repair": False}}, "r.toml")
    assert recipe.prune is not None
    assert (recipe.prune.option, recipe.prune.goal, recipe.prune.repair) == ("units=25%", "25% fewer units", False)
    assert Pruning(macs=1e-4).goal == "0.01% fewer multiply-accumulates"
