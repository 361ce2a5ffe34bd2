"""The execution providers of ONNX Runtime that are known by name: what brings each one, and what it is started with.

Others work too, under the names that the installed build or a plug-in gives them; they only get no advice and no defaults.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.errors import UsageError

CPU = "CPUExecutionProvider"
SUFFIX = "executionprovider"

_BUILD = "build ONNX Runtime with {} (https://onnxruntime.ai/docs/build/eps.html); no package on the index has it"
_CUDA = "pip uninstall -y onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]'"


def _keys(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _nothing(path: Path, threads: int) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """``short``: what users call it. ``package`` and ``command``: what brings it, and how to get that. ``module``: the Python
    package of its plug-in. ``options``: its own keys, for finding misspelt ones; ``choices``: all values of some of them.
    ``defaults``: options by file and threads, under those of the user; ``replaces``: the default that an option stands in for.
    ``fixed_shapes``: it takes no open dimensions. ``driver``: the library that the hardware's driver brings. ``hint``: another
    way to get it.
    """

    name: str
    short: str
    package: str
    command: str
    module: str = ""
    options: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defaults: Callable[[Path, int], Mapping[str, str]] = _nothing
    replaces: Mapping[str, str] = field(default_factory=dict)
    fixed_shapes: bool = False
    driver: str = ""
    hint: str = ""

    def completed(self, options: Mapping[str, str], path: Path, threads: int) -> dict[str, str]:
        """The user's options over the defaults. Raises UsageError for a misspelt key or a value that does not exist.

        A key that resembles no known one is handed on: newer versions have more.
        """
        for key, value in options.items():
            near = difflib.get_close_matches(key, self.options, n=1, cutoff=0.8)
            if key not in self.options and near:
                raise UsageError(f"{self.short} has no option {key!r}. Did you mean {near[0]!r}?")
            if key in self.choices and value not in self.choices[key]:
                known = ", ".join(self.choices[key])
                raise UsageError(f"{self.short} has no {key} {value!r}; expected one of: {known}")
        replaced = {self.replaces[key] for key in options if key in self.replaces}
        defaults = {key: value for key, value in self.defaults(path, threads).items() if key not in replaced}
        return {**defaults, **options}


def _openvino(path: Path, threads: int) -> Mapping[str, str]:
    return {"device_type": "CPU", "num_of_threads": str(threads)}


def _qnn(path: Path, threads: int) -> Mapping[str, str]:
    return {"backend_type": "htp"}


def _tensorrt(path: Path, threads: int) -> Mapping[str, str]:
    """Engines are kept beside the model, since building one takes minutes; int8 where the file's own Q/DQ say how."""
    cache = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(path.with_suffix(".tensorrt"))}
    return {**cache, "trt_int8_enable": "1"} if has_encodings(path) else cache


def _xnnpack(path: Path, threads: int) -> Mapping[str, str]:
    return {"intra_op_num_threads": str(threads)}


def has_encodings(path: Path) -> bool:
    """Whether an ONNX file quantizes values: the operator's name stands in it as plain text (protobuf does not pack strings)."""
    return b"QuantizeLinear" in path.read_bytes()


CATALOGUE = (
    KnownProvider(CPU, "cpu", "onnxruntime", "pip install 'edgekit-ml[onnx]'"),
    KnownProvider(
        "XnnpackExecutionProvider",
        "xnnpack",
        "a build with --use_xnnpack",
        _BUILD.format("--use_xnnpack"),
        options=("intra_op_num_threads",),
        defaults=_xnnpack,
    ),
    KnownProvider(
        "OpenVINOExecutionProvider",
        "openvino",
        "onnxruntime-openvino",
        "pip uninstall -y onnxruntime && pip install onnxruntime-openvino",
        module="onnxruntime_ep_openvino",
        options=_keys(
            "device_type device_id precision num_of_threads num_streams cache_dir load_config "
            "enable_qdq_optimizer disable_dynamic_shapes reshape_input layout model_priority "
            "enable_opencl_throttling enable_causallm"
        ),
        defaults=_openvino,
        hint="the plug-in for Intel's own processors leaves onnxruntime as it is: pip install onnxruntime-ep-openvino",
    ),
    KnownProvider(
        "QNNExecutionProvider",
        "qnn",
        "onnxruntime-qnn",
        "pip install onnxruntime-qnn",
        module="onnxruntime_qnn",
        options=_keys(
            "backend_type backend_path genie_log_level profiling_level profiling_file_path rpc_control_latency "
            "vtcm_mb enable_vtcm_backup_buffer_sharing htp_performance_mode qnn_saver_path qnn_context_priority "
            "htp_graph_finalization_optimization_mode soc_model htp_arch htp_bf16_enable "
            "htp_share_resource_optimization device_id enable_htp_fp16_precision enable_htp_prepare_only "
            "enable_htp_spill_fill_buffer enable_htp_shared_memory_allocator "
            "enable_block_quant_weight_optimization offload_graph_io_quantization extended_udma op_packages "
            "dump_json_qnn_graph json_qnn_graph_dir dump_qnn_ir_dlc dump_qnn_ir_dlc_dir qnn_ir_backend_path "
            "enable_framework_op_trace framework_op_trace_dir skip_qnn_version_check num_graph_prepare_threads "
            "disable_file_mapped_weights"
        ),
        choices={"backend_type": ("cpu", "gpu", "htp", "saver", "ir")},
        defaults=_qnn,
        replaces={"backend_path": "backend_type"},
        fixed_shapes=True,
    ),
    KnownProvider(
        "CUDAExecutionProvider",
        "cuda",
        "onnxruntime-gpu",
        _CUDA,
        options=_keys(
            "device_id gpu_mem_limit arena_extend_strategy cudnn_conv_algo_search do_copy_in_default_stream "
            "cudnn_conv_use_max_workspace cudnn_conv1d_pad_to_nc1d enable_cuda_graph prefer_nhwc use_tf32 "
            "has_user_compute_stream user_compute_stream tunable_op_enable tunable_op_tuning_enable "
            "tunable_op_max_tuning_duration_ms enable_skip_layer_norm_strict_mode fuse_conv_bias sdpa_kernel"
        ),
        driver="libcuda.so.1",
        hint="on a Jetson: the wheel that NVIDIA makes for its JetPack",
    ),
    KnownProvider(
        "TensorrtExecutionProvider",
        "tensorrt",
        "onnxruntime-gpu and NVIDIA's TensorRT",
        f"{_CUDA} tensorrt",
        options=_keys(
            "device_id user_compute_stream trt_max_partition_iterations trt_min_subgraph_size "
            "trt_max_workspace_size trt_fp16_enable trt_bf16_enable trt_int8_enable trt_dla_enable trt_dla_core "
            "trt_dump_subgraphs trt_engine_cache_enable trt_engine_cache_path trt_onnx_model_folder_path "
            "trt_engine_cache_prefix trt_engine_decryption_enable trt_layer_norm_fp32_fallback "
            "trt_timing_cache_enable trt_timing_cache_path trt_force_timing_cache trt_detailed_build_log "
            "trt_build_heuristics_enable trt_sparsity_enable trt_auxiliary_streams trt_tactic_sources "
            "trt_extra_plugin_lib_paths trt_profile_min_shapes trt_profile_max_shapes trt_profile_opt_shapes "
            "trt_cuda_graph_enable trt_dump_ep_context_model trt_ep_context_file_path trt_ep_context_embed_mode "
            "trt_engine_hw_compatible trt_op_types_to_exclude trt_preview_features trt_load_user_initializer "
            "trt_int8_calibration_table_name trt_int8_use_native_calibration_table "
            "trt_weight_stripped_engine_enable trt_engine_decryption_lib_path trt_force_sequential_engine_build "
            "trt_context_memory_sharing_enable trt_builder_optimization_level"
        ),
        defaults=_tensorrt,
        driver="libcuda.so.1",
        hint="on a Jetson: the wheel that NVIDIA makes for its JetPack",
    ),
    KnownProvider(
        "NvTensorRTRTXExecutionProvider",
        "nvtensorrtrtx",
        "onnxruntime-ep-nv-tensorrt-rtx",
        "pip install onnxruntime-ep-nv-tensorrt-rtx",
        module="onnxruntime_ep_nv_tensorrt_rtx",
    ),
    KnownProvider(
        "WebGpuExecutionProvider",
        "webgpu",
        "onnxruntime-ep-webgpu",
        "pip install onnxruntime-ep-webgpu",
        module="onnxruntime_ep_webgpu",
    ),
    KnownProvider(
        "ACLExecutionProvider",
        "acl",
        "a build with --use_acl",
        _BUILD.format("--use_acl and Arm's Compute Library"),
        options=("enable_fast_math",),
    ),
)


def known(name: str) -> KnownProvider | None:
    """By its full or short name, whatever the case."""
    wanted = name.lower()
    return next((each for each in CATALOGUE if wanted in (each.short, each.name.lower())), None)


def full_name(name: str, available: tuple[str, ...]) -> str:
    """As ONNX Runtime spells it; "Foo" becomes "FooExecutionProvider" where neither the catalogue nor the build knows it."""
    found = known(name)
    if found is not None:
        return found.name
    spelled = {each.lower().removesuffix(SUFFIX): each for each in available}
    plain = name.lower().removesuffix(SUFFIX)
    return spelled.get(plain, name if name.lower().endswith(SUFFIX) else f"{name}ExecutionProvider")
