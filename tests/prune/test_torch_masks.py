"""Masks in PyTorch: zeros stay zero under any optimizer and survive a checkpoint."""

from __future__ import annotations

import io

import numpy as np
import pytest

import edgekit.prune
from edgekit.errors import UsageError
from edgekit.prune import Polynomial

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.pytorch


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(4, 8, 3, padding=1),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 25, 12),
    )


def train(model, pruner, optimizer, steps):
    for _ in range(steps):
        x = torch.randn(6, 4, 5, 5)
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        pruner.step()


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
        lambda p: torch.optim.Adam(p, 0.01),
        lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
    ],
)
def test_zeros_stay_zero_under_optimizers_with_momentum(optimizer):
    model = network()
    pruner = edgekit.prune.torch(model, "50%")
    zeros = model[0].weight == 0
    assert int(zeros.sum()) == 144
    train(model, pruner, optimizer(model.parameters()), 5)
    assert bool((model[0].weight[zeros] == 0).all())
    assert pruner.finish().share == 0.5


def test_the_share_of_zeros_follows_the_schedule():
    model = network()
    pruner = edgekit.prune.torch(model, "80%", schedule=Polynomial(begin=2, end=6, every=2))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    found = []
    for _ in range(7):
        train(model, pruner, optimizer, 1)
        found.append(pruner.sparsity().by_tensor["4.weight"])
    assert found == pytest.approx([0, 0, 0, 0.7, 0.7, 0.8, 0.8], abs=1e-3)


def test_two_of_four_are_taken_along_the_inputs():
    model = network()
    edgekit.prune.torch(model, "2:4")
    linear = model[4].weight.detach().numpy().reshape(12, -1, 4)
    convolution = np.moveaxis(model[0].weight.detach().numpy(), 1, -1)
    assert ((linear != 0).sum(axis=2) == 2).all()
    assert ((convolution != 0).sum(axis=3) == 2).all()


def test_what_can_not_be_pruned_is_left_alone_and_named():
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Linear(8, 4), torch.nn.Linear(4, 4))
    pruner = edgekit.prune.torch(model, "2:4", skip=["2.*"])
    assert pruner.left_alone == {
        "0.weight": "its 6 inputs are no multiple of the group's size",
        "2.weight": "it is skipped",
    }
    assert bool((model[0].weight != 0).all())
    with pytest.raises(UsageError, match="nothing in this network can be pruned"):
        edgekit.prune.torch(torch.nn.Sequential(torch.nn.Embedding(4, 4)), "50%")


def test_a_checkpoint_brings_the_masks_and_the_step_back():
    model = network()
    pruner = edgekit.prune.torch(model, "60%", schedule=Polynomial(0, 20, every=5))
    train(model, pruner, torch.optim.SGD(model.parameters(), 0.01, momentum=0.9), 12)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "pruner": pruner.state_dict()}, file)
    file.seek(0)
    stored = torch.load(file, weights_only=True)
    again = network()
    again.load_state_dict(stored["model"])
    going_on = edgekit.prune.torch(again, "60%", schedule=Polynomial(0, 20, every=5))
    going_on.load_state_dict(stored["pruner"])
    zeros = {name: tensor == 0 for name, tensor in again.state_dict().items() if name.endswith("weight")}
    assert going_on.sparsity() == pruner.sparsity()
    train(again, going_on, torch.optim.SGD(again.parameters(), 0.5, momentum=0.9), 2)
    assert bool((again[0].weight[zeros["0.weight"]] == 0).all())
    assert going_on.finish().by_tensor["0.weight"] == pytest.approx(0.6, abs=2e-3)


def test_a_state_of_another_network_is_refused():
    other = edgekit.prune.torch(torch.nn.Sequential(torch.nn.Linear(4, 4)), "50%")
    with pytest.raises(UsageError, match="same network"):
        edgekit.prune.torch(network(), "50%").load_state_dict(other.state_dict())


def test_a_state_of_other_sizes_is_refused():
    one, other = (edgekit.prune.torch(torch.nn.Sequential(torch.nn.Linear(4, size)), "50%") for size in (4, 8))
    with pytest.raises(UsageError, match=r"'0.weight' is \(4, 4\), its weights \(8, 4\); expected the state"):
        other.load_state_dict(one.state_dict())


def test_recurrent_and_attention_layers_are_pruned_and_biases_are_not():
    model = torch.nn.ModuleDict({"l": torch.nn.LSTM(4, 8), "a": torch.nn.MultiheadAttention(8, 2)})
    names = set(edgekit.prune.torch(model, "50%").sparsity().by_tensor)
    assert names == {"l.weight_ih_l0", "l.weight_hh_l0", "a.in_proj_weight", "a.out_proj.weight"}


def test_training_that_has_diverged_is_told():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4))
    model[0].weight.data[0, 0] = float("nan")
    with pytest.raises(UsageError, match="not finite"):
        edgekit.prune.torch(model, "50%")
