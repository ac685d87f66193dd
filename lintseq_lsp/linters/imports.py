"""What the linter's process imports: all of it before it sees any text, and nothing after.

Deliberately absent: how astroid finds modules, which it reads and does not import.
"""

import contextlib
import encodings
import importlib
import importlib.machinery
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType

_COMPILED = """\
array atexit audioop binascii builtins cmath errno faulthandler fcntl gc grp itertools marshal math mmap
msvcrt nis nt ossaudiodev posix pwd pyexpat readline resource select spwd sys syslog termios time
unicodedata winreg winsound zlib _abc _ast _asyncio _bisect _blake2 _bz2 _codecs _codecs_cn _codecs_hk
_codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _collections _contextvars _crypt _csv _ctypes _curses
_curses_panel _datetime _dbm _decimal _elementtree _functools _gdbm _hashlib _heapq _hmac _imp
_interpchannels _interpqueues _interpreters _io _json _locale _lsprof _lzma _md5 _msi _multibytecodec
_multiprocessing _opcode _operator _overlapped _pickle _posixshmem _posixsubprocess _queue _random
_remote_debugging _scproxy _sha1 _sha2 _sha256 _sha3 _sha512 _signal _socket _sqlite3 _sre _ssl _stat
_statistics _string _struct _suggestions _symtable _sysconfig _thread _tkinter _tokenize _tracemalloc
_types _typing _uuid _warnings _weakref _winapi _wmi _zoneinfo _zstd
"""
COMPILED = frozenset(_COMPILED.split())
"""The standard library's compiled modules, of all systems and versions.

They have no source to be read: astroid sees what is in them by looking at the loaded module. Others
take their names from them (`os` from `posix`, `socket` from `_socket`).
"""


class Imports:
    """Finds modules in place of `PathFinder`: those of the standard library, until it is closed."""

    def __init__(self, standard: Sequence[str]) -> None:
        self._path: list[str] = [*standard]
        self._is_trusting = False
        sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, self]

    def load(self) -> None:
        """Imports those of `COMPILED` that there are, and the codecs, one of which a file may declare."""
        codecs = [f"encodings.{module.name}" for module in pkgutil.iter_modules(encodings.__path__)]
        for name in (*sorted(COMPILED), *codecs):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)

    def trust(self, folders: Sequence[str]) -> None:
        """Finds modules there, too, and wherever a configuration puts them by `sys.path`."""
        self._path += folders
        self._is_trusting = True

    def close(self) -> None:
        """From now on only what is loaded can be imported."""
        sys.meta_path.clear()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if path is None:
            path = [*self._path, *(sys.path if self._is_trusting else ())]
        return importlib.machinery.PathFinder.find_spec(name, path, target)
