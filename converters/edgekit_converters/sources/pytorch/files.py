"""What a PyTorch file holds, found out without torch and without loading anything."""

from __future__ import annotations

import enum
import pickletools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgekit.errors import SourceError

SUFFIXES = (".pt2", ".pt", ".pth", ".ts", ".jit", ".bin", ".ckpt", ".safetensors")

_LEGACY_PICKLE = b"\x80\x02"
_ZIP = b"PK\x03\x04"
_LEGACY_PICKLES_BEFORE_THE_OBJECT = 3
"""Magic number, protocol version, system information."""


class Content(enum.Enum):
    """What a file holds; the value is how messages call it."""

    EXPORTED_PROGRAM = "an exported program"
    TORCHSCRIPT = "a TorchScript program"
    WEIGHTS = "weights alone (a state_dict)"
    PICKLED_OBJECT = "a pickled Python object"


@dataclass(frozen=True, slots=True)
class PytorchFile:
    """``foreign`` are the Python classes and functions, beyond tensors and containers, that loading would call."""

    path: Path
    content: Content
    safetensors: bool = False
    foreign: tuple[str, ...] = ()


def looks_like_pytorch(path: Path) -> bool:
    """Whether suffix and first bytes are those of a PyTorch file."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    with path.open("rb") as stream:
        head = stream.read(4)
    certain = path.suffix.lower() not in (".bin", ".ckpt")
    return certain or head == _ZIP or head.startswith(_LEGACY_PICKLE)


def inspect_file(path: Path) -> PytorchFile:
    """Raises SourceError when the file is missing, damaged or nothing of PyTorch's."""
    if not path.is_file():
        raise SourceError(f"there is no model file {str(path)!r}")
    if path.suffix.lower() == ".safetensors":
        return PytorchFile(path, Content.WEIGHTS, safetensors=True)
    with path.open("rb") as stream:
        head = stream.read(4)
    try:
        if head == _ZIP:
            return _inspect_archive(path)
        if head.startswith(_LEGACY_PICKLE):
            with path.open("rb") as stream:
                return _from_globals(path, _legacy_globals(stream))
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError, OSError, NotImplementedError) as error:
        raise SourceError(
            f"{path} is damaged or incomplete: {error}. Save it again, or repeat the download."
        ) from error
    found = "is empty" if not head else f"starts with {head!r}"
    raise SourceError(
        f"{path} is no PyTorch file: it {found}; expected a zip archive or a pickle written by torch.save"
    )


def _inspect_archive(path: Path) -> PytorchFile:
    with zipfile.ZipFile(path) as archive:
        if (damaged := archive.testzip()) is not None:
            raise SourceError(f"{path} is damaged: the checksum of its part {damaged!r} is wrong. Copy it again.")
        names = archive.namelist()
        inner = {name.partition("/")[2] for name in names}
        if "serialized_exported_program.json" in names or any(name.startswith("models/") for name in inner):
            return PytorchFile(path, Content.EXPORTED_PROGRAM)
        if any(name.startswith("code/") for name in inner):
            return PytorchFile(path, Content.TORCHSCRIPT)
        pickles = [name for name in names if name.endswith("/data.pkl") or name == "data.pkl"]
        if not pickles:
            raise SourceError(f"{path} is a zip archive but none of PyTorch's: it holds {', '.join(names[:4])} …")
        with archive.open(pickles[0]) as stream:
            return _from_globals(path, set(_globals(stream)))


def _from_globals(path: Path, found: set[str]) -> PytorchFile:
    foreign = tuple(sorted(name for name in found if not _is_plain(name)))
    return PytorchFile(path, Content.PICKLED_OBJECT if foreign else Content.WEIGHTS, foreign=foreign)


def _legacy_globals(stream: IO[bytes]) -> set[str]:
    """The object is the fourth of the pickles that follow one another; raw storages come after them."""
    found: set[str] = set()
    for _ in range(_LEGACY_PICKLES_BEFORE_THE_OBJECT + 1):
        found |= set(_globals(stream))
    return found


def _globals(stream: IO[bytes]) -> Iterator[str]:
    """Every "module.name" that unpickling would import. Reads opcodes; executes nothing."""
    texts: list[str] = []
    memo: dict[int, str] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif opcode.name == "STACK_GLOBAL":
            yield ".".join(texts[-2:]) if len(texts) > 1 else "unknown.unknown"
        elif opcode.name == "MEMOIZE" and texts:
            memo[len(memo)] = texts[-1]
        elif opcode.name in ("BINPUT", "LONG_BINPUT", "PUT") and texts:
            memo[int(str(argument))] = texts[-1]
        elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            texts.append(memo.get(int(str(argument)), "unknown"))
        elif opcode.name.endswith(("UNICODE", "UNICODE8")):
            texts.append(str(argument))
        elif opcode.name in ("EXT1", "EXT2", "EXT4"):
            yield "copyreg.extension"
        del texts[:-2]


def _is_plain(name: str) -> bool:
    """Tensors, parameters, storages and containers: what ``torch.load(weights_only=True)`` makes."""
    module, _, attribute = name.rpartition(".")
    if module in ("torch", "torch.cuda"):
        return attribute.endswith(("Storage", "Tensor")) or attribute in _TORCH_VALUES
    return name in _PLAIN


_FLOATS = ("float16", "float32", "float64", "bfloat16", "complex64", "complex128")
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "bool")
_TORCH_VALUES = frozenset(("Size", "device", *_FLOATS, *_INTEGERS))
_PLAIN = frozenset(
    {
        "collections.OrderedDict",
        "collections.defaultdict",
        "collections.Counter",
        "torch.nn.parameter.Parameter",
        "torch.storage.UntypedStorage",
        "torch.storage.TypedStorage",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor_v3",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._utils._rebuild_qtensor",
        "torch._utils._rebuild_sparse_tensor",
        "torch._utils._rebuild_meta_tensor_no_storage",
        "torch._tensor._rebuild_from_type_v2",
        "torch.serialization._get_layout",
        "__builtin__.set",
        "builtins.set",
    }
)
