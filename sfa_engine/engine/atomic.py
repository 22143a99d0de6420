"""Words that two processes share: written with release, read with acquire.

x86-64 orders plain stores and loads of aligned words by itself; aarch64 does not, and there
libatomic's functions emit the ``stlr`` and ``ldar`` that a ring needs.
"""

from __future__ import annotations

import ctypes
import platform

from sfa_engine.errors import EngineError

_ACQUIRE = 2
_RELEASE = 3

try:
    _library: ctypes.CDLL | None = ctypes.CDLL("libatomic.so.1")
except OSError:
    _library = None

if _library is not None:
    _load = getattr(_library, "__atomic_load_8")
    _load.argtypes = [ctypes.c_void_p, ctypes.c_int]
    _load.restype = ctypes.c_int64
    _store = getattr(_library, "__atomic_store_8")
    _store.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int]
    _store.restype = None

    def load_acquire(address: int) -> int:
        """Return the int64 at an address, before anything that is read after."""
        return int(_load(address, _ACQUIRE))

    def store_release(address: int, value: int) -> None:
        """Write an int64 to an address, after everything that was written before."""
        _store(address, value, _RELEASE)

elif platform.machine() in {"x86_64", "AMD64"}:

    def load_acquire(address: int) -> int:
        """Return the int64 at an address; on this machine every load acquires."""
        return ctypes.c_int64.from_address(address).value

    def store_release(address: int, value: int) -> None:
        """Write an int64 to an address; on this machine every store releases."""
        ctypes.c_int64.from_address(address).value = value

else:
    raise EngineError("libatomic.so.1 is missing", "install the package libatomic1")
