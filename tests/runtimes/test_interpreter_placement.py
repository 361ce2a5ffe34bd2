"""Ops between a partition's inputs and outputs are the delegate's."""

from __future__ import annotations

from edgekit_runtimes.interpreter_placement import OpDetails, place


def op(name: str, inputs: list[int], outputs: list[int]) -> OpDetails:
    return {"op_name": name, "inputs": inputs, "outputs": outputs}


def test_two_partitions_around_a_builtin_op() -> None:
    ops = [op("CONV_2D", [0, 9], [1]), op("CUSTOM", [1], [2]), op("ADD", [2, 1], [3]), op("MUL", [3, 3], [4])]
    delegates = [op("DELEGATE", [0, 9], [1]), op("DELEGATE", [2, 1], [4])]
    placement = place(ops + delegates, dict.fromkeys(range(10), "float32"))
    assert [entry.device for entry in placement.ops] == ["XNNPACK", "builtin", "XNNPACK", "XNNPACK"]
    assert placement.partitions == 2


def test_no_partition_leaves_all_to_the_interpreter() -> None:
    placement = place([op("CONV_2D", [0, 1, -1], [2])], dict.fromkeys(range(3), "int8"))
    assert [(entry.name, entry.device, entry.integer) for entry in placement.ops] == [("CONV_2D:0", "builtin", True)]
    assert placement.partitions == 0


def test_a_hybrid_product_computes_on_integers_and_says_both_types() -> None:
    [entry] = place([op("FULLY_CONNECTED", [0, 1], [2])], {0: "float32", 1: "int8", 2: "float32"}).ops
    assert (entry.integer, entry.kernel) == (True, "float32 x int8 -> float32")


def test_conversions_do_not_count_as_integer_arithmetic() -> None:
    ops = place([op("QUANTIZE", [0], [1]), op("DEQUANTIZE", [1], [2])], {0: "float32", 1: "int8", 2: "float32"}).ops
    assert not any(entry.integer for entry in ops)


def test_a_requantization_is_integer_arithmetic() -> None:
    assert place([op("QUANTIZE", [0], [1])], {0: "uint8", 1: "int8"}).ops[0].integer


def test_the_axis_of_a_split_is_not_its_data() -> None:
    dtypes = {0: "int32", 1: "int16", 2: "int16", 3: "float32"}
    split, real = place([op("SPLIT", [0, 1], [2]), op("SPLIT", [0, 3], [3])], dtypes).ops
    assert split.integer
    assert not real.integer
