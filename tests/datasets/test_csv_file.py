"""Samples in CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from edgekit.artifact import TensorSpec
from edgekit.datasets import open_dataset
from edgekit.errors import DatasetError

VECTOR = TensorSpec("features", "float32", ("batch", 3))


def written(folder: Path, text: str, name: str = "table.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def first(location: str, *inputs: TensorSpec, **options: Any) -> tuple[dict[str, NDArray[Any]], list[Any] | None]:
    batch = next(open_dataset(location, inputs, **options).batches(10))
    return dict(batch.feeds), None if batch.labels is None else batch.labels.tolist()


@pytest.mark.parametrize(("name", "separator"), [("table.csv", ","), ("table.csv", ";"), ("table.tsv", "\t")])
def test_the_label_column_is_left_out_of_the_features(tmp_path: Path, name: str, separator: str) -> None:
    text = "a,b,kind,c\n1,2,0,3\n4,5,1,6\n".replace(",", separator)
    feeds, labels = first(written(tmp_path, text, name), VECTOR, labels="column:kind")
    assert feeds["features"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert labels == [0, 1]


def test_a_column_named_y_or_label_holds_the_labels(tmp_path: Path) -> None:
    _, labels = first(written(tmp_path, "\ufeffa,b,c,label\n1,2,3,0.5\n4,5,6,1\n"), VECTOR)
    assert labels == [0.5, 1.0]


def test_labels_that_are_words_become_their_place_in_the_sorted_list(tmp_path: Path) -> None:
    _, labels = first(written(tmp_path, "a,b,c,y\n1,2,3,dog\n4,5,6,cat\n7,8,9,dog\n"), VECTOR)
    assert labels == [1, 0, 1]


def test_features_take_the_shape_of_the_input(tmp_path: Path) -> None:
    feeds, _ = first(written(tmp_path, "a,b,c,d\n1,2,3,4\n"), TensorSpec("x", "float32", (1, 2, 2, 1)))
    assert feeds["x"].tolist() == [[[[1], [2]], [[3], [4]]]]


def test_several_inputs_take_the_columns_of_their_name(tmp_path: Path) -> None:
    age, size = TensorSpec("age", "float32", ("n", 1)), TensorSpec("size", "float32", ("n", 2))
    feeds, _ = first(written(tmp_path, "size[0],age,size[1]\n1,30,2\n"), age, size)
    assert feeds["age"].tolist() == [[30]]
    assert feeds["size"].tolist() == [[1, 2]]


def test_slices_and_quoted_cells(tmp_path: Path) -> None:
    rows = "".join(f'"{n}",{n},{n}\n' for n in range(10))
    dataset = open_dataset(written(tmp_path, "a,b,c\n" + rows + "\n") + "[3:7]", [VECTOR])
    assert [len(batch) for batch in dataset.batches(3)] == [3, 1]
    assert next(dataset.batches(3)).feeds["features"][0, 0] == 3


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("", {}, "has no header"),
        ("1,2,3\n4,5,6\n", {}, "has no header"),
        ("a,b,c\n", {}, "holds no samples"),
        ("a,b,c\n1,2\n", {}, "line 2: 2 cells, the header has 3"),
        ("a,b,c\n1,2,3\n1,Private,3\n", {}, "line 3, column 'b': 'Private' is not a number"),
        ("a,b,c\n1,nan,3\n", {}, "sample 0 of 'features' in .* holds nan"),
        ("a,b\n1,2\n", {}, "has 2 columns for input 'features'; the model takes 3"),
        ("a,b,c\n1,2,3\n", {"labels": "column:d"}, "no column 'd'; its columns: a, b, c"),
        ("a,b,c\n1,2,3\n", {"labels": "prefix"}, "write column:NAME"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, options: dict[str, str], says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        list(open_dataset(written(tmp_path, text), [VECTOR], **options).batches(5))  # type: ignore[arg-type]


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(DatasetError, match="Expected CSV text in UTF-8"):
        open_dataset(str(tmp_path / "table.csv"), [VECTOR])
