"""A PyTorch module that takes and gives its state: found by shape, as its outputs have numbers for names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conversion import convert

import edgekit

pytestmark = [pytest.mark.pytorch, pytest.mark.slow]
torch = pytest.importorskip("torch")
STEPS, FEATURES, UNITS = 4, 5, 7


class Recogniser(torch.nn.Module):
    """``x`` (batch, steps, features) and ``hidden`` (1, batch, units) to scores (batch, 3) and the next hidden."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.gru = torch.nn.GRU(FEATURES, UNITS, batch_first=True)
        self.head = torch.nn.Linear(UNITS, 3)

    def forward(self, x: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        outputs, hidden = self.gru(x, hidden)
        return self.head(outputs[:, -1]), hidden


@pytest.mark.filterwarnings("ignore")
def test_chunks_give_what_the_module_gives_for_the_whole(tmp_path: Path) -> None:
    module = Recogniser().eval()
    program = torch.export.export(module, (torch.zeros(1, STEPS, FEATURES), torch.zeros(1, 1, UNITS)))
    torch.export.save(program, tmp_path / "m.pt2")
    made = convert(tmp_path / "m.pt2", tmp_path / "out", "--precision", "float32", "--no-checks")
    assert made.code == 0, made.err
    assert [state["output"] for state in made.document["model"]["states"]] == ["output_1"]
    x = torch.randn(1, 10 * STEPS, FEATURES)
    with torch.no_grad():
        expected = module(x, torch.zeros(1, 1, UNITS))[0].numpy()
    for file_format in ("tflite", "onnx"):
        with edgekit.load(tmp_path / "out" / f"m.float32.{file_format}") as model, model.stream() as stream:
            answers = [stream(chunk.numpy()) for chunk in x.split(STEPS, dim=1)]
        np.testing.assert_allclose(answers[-1], expected, atol=1e-5)


class Forgetful(torch.nn.Module):
    """Keeps what it has seen in itself."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = torch.zeros(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = self.seen + x.mean()
        return x + self.seen


@pytest.mark.filterwarnings("ignore")
def test_a_state_inside_torchscript_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(Forgetful()), tmp_path / "m.jit")
    made = convert(tmp_path / "m.jit", tmp_path / "out", "--input-shape", "1,3", "--precision", "float32")
    assert made.code == 1
    assert "keeps a state in itself" in made.document["error"]["message"]
