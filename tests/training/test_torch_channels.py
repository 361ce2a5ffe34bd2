"""Channels removed from PyTorch modules: what is left answers as the silenced whole, trains on, and is told."""

from __future__ import annotations

import io

import numpy as np
import pytest
from torch_training_networks import KINDS, make

import edgekit.prune
from edgekit.errors import ConversionError, UsageError
from edgekit.prune import OneShot, Polynomial

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.pytorch, pytest.mark.filterwarnings("ignore")]  # the exporters' own


def drawn(shape, count=48):
    return np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)


def answers(model, x):
    with torch.no_grad():
        return model.eval()(torch.from_numpy(x))


def apart(one, other):
    return float((one - other).abs().max() / other.abs().max())


def after_one_step(model, x, amount="30%"):
    """A pruner whose channels are all silent, the weights as they were."""
    pruner = edgekit.prune.torch_channels(model, x, amount, schedule=OneShot(at=1))
    pruner.step()
    return pruner


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_smaller_network_answers_as_the_silenced_one(kind):
    model, shape = make(kind)
    x = drawn(shape)
    smaller = after_one_step(model, x).finish()
    assert smaller.macs[1] <= 0.7 * smaller.macs[0]
    assert sum(tensor.numel() for tensor in smaller.model.parameters()) < sum(t.numel() for t in model.parameters())
    assert apart(answers(smaller.model, x), answers(model, x)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_refitted_weights_come_back_and_are_closer_to_the_whole(kind):
    model, shape = make(kind)
    x = drawn(shape, 256)
    whole = answers(model, x)
    refitted = edgekit.prune.torch_channels(model, x, "30%").finish()
    cut = after_one_step(model, x).finish()
    assert refitted.units == cut.units
    loss, loss_of_cut = ((answers(found.model, x) - whole).square().mean() for found in (refitted, cut))
    assert loss < loss_of_cut or loss < 5e-3 * whole.var(), (
        "where channels next to silent went, there is nothing to gain"
    )


def test_the_smaller_network_trains_on_and_its_state_can_be_saved():
    model, shape = make("dense")
    x = drawn(shape)
    smaller = edgekit.prune.torch_channels(model, x).finish().model
    optimizer = torch.optim.SGD(smaller.parameters(), 0.01, momentum=0.9)
    smaller.train()(torch.from_numpy(x)).square().mean().backward()
    optimizer.step()
    file = io.BytesIO()
    torch.save(smaller.state_dict(), file)
    file.seek(0)
    assert set(torch.load(file, weights_only=True)) == set(model.state_dict())
    assert smaller[0].out_features == smaller[1].num_features == smaller[3].in_features
    assert smaller[3].out_features == smaller[5].in_features < 8


def test_the_users_network_is_not_changed_without_a_schedule():
    model, shape = make("dense")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    edgekit.prune.torch_channels(model, drawn(shape)).finish()
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_channels_fall_silent_by_the_schedule_and_stay_so():
    model, shape = make("dense")
    x = drawn(shape)
    pruner = edgekit.prune.torch_channels(model, x, "40%", schedule=Polynomial(0, 6, power=1, every=2))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    silent = []
    for _ in range(7):
        optimizer.zero_grad()
        (model.train()(torch.from_numpy(x)) - 1).square().mean().backward()
        optimizer.step()
        pruner.step()
        silent.append(int((model[0].weight == 0).all(1).sum()))
    assert silent == sorted(silent)
    assert silent[0] < silent[-1]
    assert apart(answers(pruner.finish().model, x), answers(model, x)) < 1e-5


def test_a_checkpoint_brings_the_choice_back():
    model, shape = make("dense")
    x = drawn(shape)
    state = after_one_step(model, x, "40%").state_dict()
    again, _ = make("dense")
    going_on = edgekit.prune.torch_channels(again, x, "20%", schedule=OneShot(at=1))
    going_on.load_state_dict(state)
    assert torch.equal(again[0].weight, model[0].weight)
    assert going_on.finish().macs[1] <= 0.6 * 192


def test_a_checkpoint_of_another_network_is_refused():
    state = after_one_step(torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Linear(4, 3)), drawn((6,))).state_dict()
    model, shape = make("dense")
    with pytest.raises(UsageError, match="same network"):
        edgekit.prune.torch_channels(model, drawn(shape), "20%").load_state_dict(state)
    del state["step"]
    with pytest.raises(UsageError, match="but no 'step'"):
        edgekit.prune.torch_channels(model, drawn(shape), "20%").load_state_dict(state)


class Fixed(torch.nn.Module):
    """Its forward function knows one of its sizes by heart."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.three = torch.nn.Linear(6, 16), torch.nn.Linear(16, 10), torch.nn.Linear(10, 3)

    def forward(self, x):
        wide = torch.relu(self.one(x)).reshape(-1, 4, 4).sum(1, keepdim=True) / 4
        return self.three(torch.relu(self.two(wide.expand(-1, 4, 4).reshape(-1, 16))))


def test_layers_of_a_recurrent_module_lose_as_many_units_each():
    model, shape = make("stacked lstm")
    x = drawn(shape)
    smaller = edgekit.prune.torch_channels(model, x, "40%").finish()
    ((name, (before, after)),) = smaller.units.items()
    assert "LSTM + " in name
    layer = smaller.model[0].layer
    assert isinstance(layer, torch.nn.LSTM)
    assert (before, layer.hidden_size, layer.num_layers) == (6, after, 2)
    assert {len(tensor) for name, tensor in layer.named_parameters()} == {4 * after}


@pytest.mark.slow
def test_an_attention_without_some_heads_trains_on():
    model, shape = make("encoder")
    x = drawn(shape)
    smaller = edgekit.prune.torch_channels(model, x, "45%").finish()
    attention = smaller.model[0].self_attn
    assert attention.num_heads < 4
    assert attention.out_proj.weight.shape == (16, 4 * attention.num_heads)
    assert set(smaller.model.state_dict()) == set(model.state_dict())
    smaller.model.train()(torch.from_numpy(x)).square().mean().backward()
    assert all(tensor.grad is not None for tensor in smaller.model.parameters())
    again = edgekit.prune.torch_channels(smaller.model, x, "20%").finish()
    assert again.macs[1] < again.macs[0]


def test_a_group_of_queries_goes_with_its_keys_and_values():
    model, shape = make("repeated heads")
    smaller = edgekit.prune.torch_channels(model, drawn(shape), "40%").finish().model[0]
    sizes = [part.out_features for part in (smaller.query, smaller.key, smaller.value)]
    assert sizes == [8, 4, 4]
    assert smaller.out.in_features == 8


def test_a_cell_called_at_every_step_loses_the_same_units_at_each():
    model, shape = make("rnn cell")
    x = drawn(shape)
    smaller = after_one_step(model, x).finish().model
    units = smaller[0].cell.hidden_size
    assert units < 12
    assert smaller[0].cell.weight_hh.shape == (units, units)
    assert apart(answers(smaller, x), answers(model, x)) < 1e-5


def test_multiply_accumulates_of_heads_that_are_merged_with_the_batch_are_counted():
    """Five tokens of four heads, each four wide: queries times keys, weights times values, and the projections of 16 channels."""
    model, shape = make("encoder")
    found = edgekit.prune.torch_channels(model, drawn(shape), "20%").finish()
    products = 2 * 4 * 5 * 5 * 4
    assert found.macs[0] == 5 * (4 * 16 * 16 + 2 * 16 * 24) + products + 5 * 16 * 3


def test_queries_and_keys_keep_their_numbers_and_are_named():
    """No weights sum over them: their product does."""

    class Attention(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.value, self.head = (torch.nn.Linear(8, size) for size in (8, 8, 8, 3))

        def forward(self, x):
            mixed = torch.softmax(self.query(x) @ self.key(x).transpose(-1, -2) / 3, -1) @ self.value(x)
            return self.head(mixed)

    torch.manual_seed(0)
    smaller = edgekit.prune.torch_channels(Attention(), drawn((5, 8)), "25%").finish()
    assert smaller.model.query.out_features == smaller.model.key.out_features == 8
    assert smaller.model.value.out_features < 8
    assert "sums over its channels" in smaller.left_alone["query/MatMul"]


def test_a_network_whose_sizes_are_fixed_in_its_code_loses_what_it_can():
    torch.manual_seed(0)
    x = drawn((6,))
    smaller = edgekit.prune.torch_channels(Fixed(), x, "10%").finish()
    assert smaller.model.one.out_features == 16
    assert smaller.model.two.out_features < 10


def test_a_pruner_without_a_schedule_has_no_steps():
    model, shape = make("dense")
    with pytest.raises(UsageError, match="without a schedule"):
        edgekit.prune.torch_channels(model, drawn(shape)).step()


def test_networks_that_can_not_be_judged_are_refused_and_told():
    (diverged, shape), (coarse, _) = make("dense"), make("dense")
    diverged[3].weight.data[0, 0] = float("nan")
    with pytest.raises(UsageError, match=r"'3.weight' are not finite"):
        edgekit.prune.torch_channels(diverged, drawn(shape))
    with pytest.raises(UsageError, match=r"'0.weight' is of torch.bfloat16; expected torch.float32"):
        edgekit.prune.torch_channels(coarse.bfloat16(), drawn(shape))


def test_a_network_without_inner_channels_is_refused():
    with pytest.raises(ConversionError, match=r"no layer of this network can lose channels.*model's output"):
        edgekit.prune.torch_channels(torch.nn.Sequential(torch.nn.Linear(6, 3)), drawn((6,)))


def test_the_most_that_can_go_is_told_where_more_is_asked_for():
    model, shape = make("dense")
    with pytest.raises(ConversionError, match=r"99% .* no more than [1-9]\d% .* Ask for less"):
        edgekit.prune.torch_channels(model, drawn(shape), "99%")


def test_channels_are_not_chosen_without_samples():
    with pytest.raises(UsageError, match=r"of shape \(0, 6\); expected \(N, ...\)"):
        edgekit.prune.torch_channels(make("dense")[0], drawn((6,), 0))


def test_an_amount_of_channels_is_a_percentage():
    model, shape = make("dense")
    with pytest.raises(UsageError, match="expected a percentage"):
        edgekit.prune.torch_channels(model, drawn(shape), "2:4")
