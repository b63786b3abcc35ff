"""DuckDB in this process, through the library that tools/setup fetched: for what a test asks of files. As a program it
prints the rows of the last of the statements that it is given."""

import ctypes
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


class _Result(ctypes.Structure):
    _fields_ = [("opaque", ctypes.c_void_p * 6)]


class Duck:
    """A database in memory. `query` gives rows of texts, None for NULL."""

    def __init__(self):
        self._library = ctypes.CDLL(str(ROOT / ".setup/duckdb/lib/libduckdb.so"))
        for name in ("duckdb_column_count", "duckdb_row_count"):
            getattr(self._library, name).restype = ctypes.c_uint64
        self._library.duckdb_result_error.restype = ctypes.c_char_p
        self._library.duckdb_value_varchar.restype = ctypes.c_void_p
        self._library.duckdb_value_varchar.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64]
        self._library.duckdb_free.argtypes = [ctypes.c_void_p]
        self._database = ctypes.c_void_p()
        self._connection = ctypes.c_void_p()
        if self._library.duckdb_open(None, ctypes.byref(self._database)) != 0:
            raise RuntimeError("DuckDB cannot be opened")
        self._library.duckdb_connect(self._database, ctypes.byref(self._connection))

    def query(self, sql):
        result = _Result()
        at = ctypes.byref(result)
        failed = self._library.duckdb_query(self._connection, sql.encode(), at) != 0
        try:
            if failed:
                raise RuntimeError(self._library.duckdb_result_error(at).decode())
            columns = self._library.duckdb_column_count(at)
            rows = self._library.duckdb_row_count(at)
            return [tuple(self._text(at, column, row) for column in range(columns)) for row in range(rows)]
        finally:
            self._library.duckdb_destroy_result(at)

    def _text(self, at, column, row):
        pointer = self._library.duckdb_value_varchar(at, column, row)
        if not pointer:
            return None
        text = ctypes.string_at(pointer).decode()
        self._library.duckdb_free(pointer)
        return text


if __name__ == "__main__":
    for row in Duck().query(sys.argv[1]):
        print(*row, sep=",")
