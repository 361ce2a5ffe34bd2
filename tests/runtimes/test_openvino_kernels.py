"""oneDNN's own record of what it executes."""

from __future__ import annotations

from edgekit_runtimes.openvino_kernels import Primitive, by_op_type, read_primitives, summary

PRINTED = """onednn_verbose,v1,info,cpu,isa:Intel AVX-512 with Intel DL Boost
onednn_verbose,v1,primitive,exec,cpu,reorder,jit:uni,undef,src:s8::blocked:abcd::f0 dst:s8:p:blocked:AcdB16a4b::f0,,,16x3,0.004
onednn_verbose,v1,primitive,exec,cpu,convolution,brg_conv_fwd:avx512_core_vnni,forward_inference,src:u8::blocked:acdb::f0 \
wei:s8:ap:blocked:AcdB16a4b::f0 bia:f32::blocked:a::f0 dst:u8::blocked:acdb::f0,attr-scratchpad:user,alg:direct,mb1_ic3oc16,0.03
onednn_verbose,v1,primitive,exec,cpu,convolution,brgconv_1x1:avx512_core_vnni,forward_inference,src:u8::blocked:acdb::f0 \
wei:s8:a:blocked:AcdB16a4b::f0 dst:f32::blocked:acdb::f0,,alg:direct,mb1_ic16oc16,0.01
onednn_verbose,exec,cpu,inner_product,brgemm:avx512_core,forward_inference,src:f32::blocked:ab::f0 wei:f32::blocked:ab::f0 \
dst:f32::blocked:ab::f0,,,mb1ic64oc10,0.01
a line of another program
"""


def test_executed_primitives_are_read_with_their_types() -> None:
    first, second, third = read_primitives(PRINTED)
    assert first == Primitive("convolution", "brg_conv_fwd:avx512_core_vnni", "uint8", "uint8")
    assert (second.kernel, second.result) == ("brgconv_1x1:avx512_core_vnni", "float32")
    assert third == Primitive("inner_product", "brgemm:avx512_core", "float32", "float32")


def test_ops_whose_kernels_share_their_operands_type_have_one_answer() -> None:
    found = by_op_type(tuple(read_primitives(PRINTED)))
    assert (found["Conv"].operand, found["Conv"].result) == ("uint8", "float32 or uint8")
    assert found["Conv"].kernel == "brg_conv_fwd:avx512_core_vnni or brgconv_1x1:avx512_core_vnni"
    assert found["Gemm"].operand == "float32"
    mixed = (Primitive("convolution", "a", "uint8", "uint8"), Primitive("convolution", "b", "float32", "float32"))
    assert by_op_type(mixed) == {}


def test_the_summary_counts_equal_ones() -> None:
    same = (Primitive("convolution", "a", "uint8", "uint8"),) * 2 + (Primitive("pooling", "b", "float32", "float32"),)
    assert summary(same) == "2 convolution on uint8 (a), 1 pooling on float32 (b)"
