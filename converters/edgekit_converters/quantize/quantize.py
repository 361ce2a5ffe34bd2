"""`quantize`: from a normalized hub and samples to a `QuantPlan`, by the effort the recipe asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from edgekit.errors import UsageError
from edgekit.protocols import Dataset, Progress
from edgekit.recipe import Effort, Observer, Precision, Recipe
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.expose_recurrent import expose_recurrent
from edgekit_converters.hub.integer_forms import integer_forms
from edgekit_converters.hub.integer_only_forms import integer_only_forms
from edgekit_converters.quantize.headroom import with_headroom
from edgekit_converters.quantize.plan import plan
from edgekit_converters.quantize.quant_plan import Execution, QuantPlan
from edgekit_converters.quantize.rule_scopes import require_matching
from edgekit_converters.quantize.scheme import Scheme, is_constant, name_of, scheme, touches_floats
from edgekit_converters.quantize.wide import wide_values
from edgekit_converters.rules import RECURRENT


@dataclass(frozen=True, slots=True)
class KeptFloat:
    """A node that computes in float, its activations at least, and why."""

    node: str
    op: str
    reason: str


@dataclass(frozen=True, slots=True)
class Quantized:
    """The hub that the plan is for (the one given, or an equal one that loses less to int8), the plan, the nodes it keeps float
    although int8 was asked for, and what calibration saw (JSON-able, by value name)."""

    hub: Hub
    plan: QuantPlan
    float_nodes: tuple[KeptFloat, ...] = ()
    ranges: Mapping[str, Any] = field(default_factory=dict)


def quantize(hub: Hub, recipe: Recipe, target: Target, samples: Dataset | None, progress: Progress) -> Quantized:
    """Smooth, calibrate, plan, correct.

    Raises UsageError when int8 is asked for without samples, ConversionError when the target can't be served, RecipeError when
    a rule matches no node.
    """
    given, (hub, decided) = hub, decide(hub, recipe, target)
    if recipe.precision is not Precision.FLOAT32:
        require_matching(recipe.rules, (*_names(given), *_names(hub)))
    if not decided.observed:
        return Quantized(hub, plan(hub, recipe, target, decided, {}), kept_float(hub, decided))
    if samples is None:
        raise UsageError(
            "int8 needs sample inputs to calibrate on. Give --calibrate SAMPLES (100 typical ones are enough), "
            "or use --precision int8-dynamic, which needs none."
        )
    from edgekit_converters.quantize.calibrate import calibrate

    if recipe.effort is not Effort.PLAIN:
        from edgekit_converters.quantize.smooth import smooth

        hub = smooth(hub, decided, samples, progress)
        decided = scheme(hub, recipe, target)
    observers = observers_for(hub, decided, recipe)
    ranges = calibrate(expose_recurrent(hub, recurrent_layers(hub, decided)), observers, samples, progress)
    if recipe.effort is Effort.PLAIN:
        planned = plan(hub, recipe, target, decided, ranges)
    else:
        from edgekit_converters.quantize.correct import correct_biases
        from edgekit_converters.quantize.correct_products import correct_products

        planned = plan(hub, recipe, target, decided, with_headroom(hub, ranges))
        planned = correct_products(hub, correct_biases(hub, planned, samples, progress), samples, progress)
    return Quantized(hub, planned, kept_float(hub, decided), ranges.summary())


def recurrent_layers(hub: Hub, decided: Scheme) -> frozenset[str]:
    """Names of the recurrent layers that compute on integers alone."""
    nodes = (node for node in hub.model.graph if node.op_type in RECURRENT and decided.integer(node))
    return frozenset(name_of(node) for node in nodes)


def _names(hub: Hub) -> tuple[str, ...]:
    """What the scope of a rule may match: nodes, and inputs, whose observer a rule may choose."""
    return (*(name_of(node) for node in hub.model.graph), *(spec.name for spec in hub.inputs))


def decide(hub: Hub, recipe: Recipe, target: Target) -> tuple[Hub, Scheme]:
    """The hub with its operators in the forms that the precision wants, and what each of its nodes will do."""
    prepared = integer_forms(hub) if recipe.precision.calibrated else hub
    if target.integer_only and recipe.precision.calibrated:
        prepared = integer_only_forms(prepared)
    return prepared, scheme(prepared, recipe, target)


def kept_float(hub: Hub, decided: Scheme) -> tuple[KeptFloat, ...]:
    """Nodes that stay float for a reason worth telling."""
    plans = ((node, decided.nodes[name_of(node)]) for node in hub.model.graph)
    return tuple(
        KeptFloat(name_of(node), node.op_type, planned.reason)
        for node, planned in plans
        if planned.execution in (Execution.FLOAT, Execution.DYNAMIC, Execution.WEIGHT_ONLY)
        and planned.reason
        and _computes_float(node)
    )


def _computes_float(node: ir.Node) -> bool:
    """Not so for shapes, indices and masks, nor for what the runtimes compute once, of constants."""
    varies = not all(value is None or is_constant(value) for value in node.inputs)
    return varies and touches_floats(node)


def observers_for(hub: Hub, decided: Scheme, recipe: Recipe) -> dict[str, Observer]:
    """The observer of every value whose range is needed: the recipe's, else the effort's.

    What a product of tokens reads is not clipped: a few large numbers carry the meaning of a sentence, and smoothing has made
    room for them (mean cosine of sentence embeddings .99915 with all of the range, .9989 with the least squared error). Nor is
    what 16 bits hold.
    """
    producers = {value.name: node.name for node in hub.model.graph for value in node.outputs}
    general = Observer.MIN_MAX if recipe.effort is Effort.PLAIN else Observer.MEAN_SQUARED_ERROR
    whole = {*decided.read_by_products, *wide_values(hub, decided)}
    own = {name: Observer.MIN_MAX if name in whole else general for name in decided.observed}
    return {name: recipe.observer_of(producers.get(name) or name) or kind for name, kind in own.items()}
