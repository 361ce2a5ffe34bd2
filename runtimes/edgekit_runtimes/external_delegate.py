"""A TFLite delegate that comes as a shared library of its own: a vendor's NPU, Edge TPU, Arm NN.

The library exports ``tflite_plugin_create_delegate(keys, values, count, report_error)``, which gives a TfLiteDelegate or nothing,
and ``tflite_plugin_destroy_delegate`` (tensorflow/lite/delegates/external/external_delegate_interface.h).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any, final

from edgekit.errors import RuntimeUnavailableError
from edgekit.protocols import Delegate


@final
class ExternalDelegate:
    """A created delegate; it must live as long as the interpreter that it was applied to.

    LiteRT's own ``load_delegate`` destroys also what could not be created, which some libraries take badly.
    """

    def __init__(self, name: str, library: ctypes.PyDLL, pointer: int) -> None:
        self.name = name
        self.pointer = pointer
        self._library = library

    def __del__(self) -> None:
        self._library.tflite_plugin_destroy_delegate(ctypes.c_void_p(self.pointer))


def load_external(delegate: Delegate, library_path: str) -> ExternalDelegate:
    """The delegate of a shared library. Raises RuntimeUnavailableError with what the loader or the delegate itself says."""
    library = _library(delegate, library_path)
    messages: list[str] = []
    report_type = ctypes.CFUNCTYPE(None, ctypes.c_char_p)
    report = report_type(lambda text: messages.append(text.decode("utf-8", "replace")))
    create = library.tflite_plugin_create_delegate
    create.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.POINTER(ctypes.c_char_p), ctypes.c_size_t, report_type]
    create.restype = ctypes.c_void_p
    options = delegate.options
    pointer = create(_texts(options.keys()), _texts(options.values()), len(options), report)
    if not pointer:
        said = " ".join("".join(messages).split()) or "it gives no reason"
        raise RuntimeUnavailableError(f"the delegate {str(delegate)!r} can't be used: {said}")
    return ExternalDelegate(delegate.name, library, pointer)


def _library(delegate: Delegate, path: str) -> ctypes.PyDLL:
    try:
        library = ctypes.PyDLL(path)
    except OSError as error:
        raise RuntimeUnavailableError(
            f"the library of the delegate {str(delegate)!r} can't be loaded: {error}"
        ) from error
    for symbol in ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"):
        if not hasattr(library, symbol):
            raise RuntimeUnavailableError(f"{path} is no TFLite delegate: it exports no {symbol}")
    return library


def _texts(texts: Iterable[str]) -> Any:
    encoded = [text.encode() for text in texts]
    return (ctypes.c_char_p * len(encoded))(*encoded)
