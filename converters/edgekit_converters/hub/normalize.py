"""`normalize`: bring a hub that a reader made to the form that planning and writing rely on (`Hub` lists the promises)."""

from __future__ import annotations

from edgekit_converters.hub.decompose import decompose
from edgekit_converters.hub.fold_affine import fold_affine
from edgekit_converters.hub.fold_constants import fold_constants
from edgekit_converters.hub.fold_pads import fold_pads
from edgekit_converters.hub.fold_shapes import fold_shapes
from edgekit_converters.hub.form_gemm import form_gemm, give_bias
from edgekit_converters.hub.gather_early import gather_early
from edgekit_converters.hub.infer_shapes import infer_shapes
from edgekit_converters.hub.merge_reshapes import merge_reshapes, merge_transposes
from edgekit_converters.hub.model import Hub
from edgekit_converters.hub.passes import until_settled
from edgekit_converters.hub.plain_pixel_shuffle import plain_pixel_shuffle
from edgekit_converters.hub.plain_recurrent import plain_recurrent
from edgekit_converters.hub.plain_upsampling import plain_upsampling
from edgekit_converters.hub.read_first_step import read_first_step
from edgekit_converters.hub.read_last_state import read_last_state
from edgekit_converters.hub.remove_no_ops import drop_zero_states, remove_dead_code, remove_no_ops
from edgekit_converters.hub.restore_activations import restore_activations
from edgekit_converters.hub.restore_depth_to_space import restore_depth_to_space
from edgekit_converters.hub.restore_global_pool import restore_global_pool
from edgekit_converters.hub.restore_layer_norm import restore_layer_norm
from edgekit_converters.hub.single_precision import make_single_precision
from edgekit_converters.hub.tidy import give_names, merge_small_constants, name_dimensions
from edgekit_converters.hub.unroll_loops import unroll_loops


def normalize(hub: Hub) -> Hub:
    """A new hub that computes the same and keeps the promises of `Hub`; ``hub`` stays as it was.

    Running it again changes nothing.
    """
    result = hub.clone()
    model = result.model
    make_single_precision(model)
    name_dimensions(model)
    until_settled(model, _SIMPLIFY)
    until_settled(model, _REWRITE)
    restore_global_pool(model)  # last: a mean may have been part of a normalization
    give_bias(model)
    merge_small_constants(model)
    remove_dead_code(model)
    give_names(model)
    return result


_SIMPLIFY = (
    infer_shapes,
    decompose,
    plain_recurrent,
    fold_constants,
    fold_shapes,
    unroll_loops,
    remove_no_ops,
    remove_dead_code,
)
_REWRITE = (
    restore_activations,
    restore_layer_norm,
    restore_depth_to_space,
    fold_pads,
    plain_upsampling,
    plain_pixel_shuffle,
    form_gemm,
    fold_affine,
    merge_reshapes,
    merge_transposes,
    remove_no_ops,
    drop_zero_states,
    gather_early,
    read_first_step,
    read_last_state,
    remove_dead_code,
    infer_shapes,
    fold_constants,
    fold_shapes,
)
