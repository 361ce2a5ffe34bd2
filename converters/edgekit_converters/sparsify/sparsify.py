"""`sparsify`: a hub with zeros among its weights, placed and made up for by calibration samples; no training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.protocols import Dataset, Progress
from edgekit.recipe import Precision, Recipe
from edgekit.sparsity import MatrixZeros
from edgekit.target import Target
from edgekit_converters.hub import Hub
from edgekit_converters.hub.edit import Editor
from edgekit_converters.quantize.operands import with_operands
from edgekit_converters.quantize.quant_plan import Use
from edgekit_converters.quantize.quantize import quantize
from edgekit_converters.quantize.scheme import name_of
from edgekit_converters.sparsify.choose import Choice, choose, wanted_patterns
from edgekit_converters.sparsify.matrices import Matrix, matrices_of
from edgekit_converters.sparsify.moments import Moments
from edgekit_converters.sparsify.patterns import projection
from edgekit_converters.sparsify.sensitivity import replaced
from edgekit_converters.sparsify.solve import sparse_weights
from edgekit_converters.sparsify.walk import prepare, sparse_pass


@dataclass(frozen=True, slots=True)
class Sparsified:
    """The hub with zeros, and what each matrix got."""

    hub: Hub
    matrices: tuple[MatrixZeros, ...] = field(default=())


def sparsify(hub: Hub, recipe: Recipe, target: Target, samples: Dataset | None, progress: Progress) -> Sparsified:
    """Measure, share out, solve matrix by matrix in order.

    Raises UsageError without samples, RecipeError when a rule matches no node, ConversionError when nothing can become sparse.
    """
    if samples is None:
        raise UsageError("--sparsify needs sample inputs. Give --calibrate SAMPLES: 200 typical ones are enough.")
    hub = _with_biases(hub)
    matrices = [matrix for node in hub.model.graph for matrix in matrices_of(node)]
    patterns = wanted_patterns(hub, matrices, recipe)
    float_recipe = Recipe(precision=Precision.FLOAT32)
    plan = quantize(hub, float_recipe, target, None, progress).plan
    walk = prepare(hub, plan, [matrix for matrix in matrices if matrix.use in patterns], samples, progress)
    choices = choose(walk, matrices, patterns, recipe, progress)
    progress.stage("sparsify", len(walk.groups))
    weights = sparse_pass(walk, lambda matrix, gathering: _solved(matrix, gathering.whole(), choices), progress)
    found = with_operands(hub, weights)
    return Sparsified(found, tuple(_zeros(matrix, weights, choices) for matrix in matrices))


def _with_biases(hub: Hub) -> Hub:
    """Zero biases where layers have none: they take up what the zeros do to the means."""
    hub = hub.clone()
    editor = Editor(hub.model)
    for node in hub.model.graph:
        if node.op_type in ("Conv", "ConvTranspose") and matrices_of(node) and len(node.inputs) == 2:
            (matrix,) = matrices_of(node)
            node.resize_inputs(3)
            node.replace_input_with(2, editor.floats([0.0] * matrix.outputs, f"{name_of(node)}_bias"))
    return hub


def _solved(matrix: Matrix, moments: Moments, choices: Mapping[Use, Choice]) -> dict[Use, NDArray[np.float32]]:
    """The matrix with its zeros, and its bias. One that stays dense is not refitted: that would only follow the samples."""
    choice = choices[matrix.use]
    if choice.sparsity is None or choice.share == 0:
        return {}
    problem = moments.problem(matrix.weights, choice.shrink)
    weights = sparse_weights(problem, projection(choice.sparsity, choice.share, matrix.channels))
    return replaced(matrix, weights, moments)


def _zeros(matrix: Matrix, weights: Mapping[Use, NDArray[np.float32]], choices: Mapping[Use, Choice]) -> MatrixZeros:
    array = weights.get(matrix.use)
    array = matrix.weights if array is None else array
    choice = choices[matrix.use]
    return MatrixZeros(
        name=matrix.name,
        op=matrix.node.op_type,
        pattern=str(choice.sparsity) if choice.sparsity and choice.share else "",
        weights=matrix.size,
        zeros=int(np.count_nonzero(array == 0)),
        reason=choice.reason,
    )
