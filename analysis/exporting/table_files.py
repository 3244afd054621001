"""Arrow record batches into a Parquet or a CSV file, one after the other."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from isal import igzip

from analysis.exporting.tables import Table

Progress = Callable[[int, int], None]
"""Called with (lines or counts done, in all) after every piece."""

KEY = "simcore"
"""Key of a Parquet file under which its description lies, as JSON text."""

HIDDEN_KEY = "simcore.hidden"
"""Key of a Parquet file under which the number of hidden cells lies."""

_COUNTING = ("replicate", "theta_id")  # columns that only grow: differences take next to no room
_COMMAND_CHARACTERS = ("=", "+", "-", "@", "\t", "\r")


def write_parquet(path: Path, table: Table, description: str, progress: Progress) -> None:
    """Write a table as Parquet: zstd, one row group per record batch, text columns as dictionaries.

    Parameters
    ----------
    path : Path
    table : Table
    description : str
        JSON text; goes into the key-value metadata of the file and of its schema, under `KEY`. The number of hidden
        cells, which is known at the end only, goes into those of the file, under `HIDDEN_KEY`.
    progress : callable
    """
    texts = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    schema = table.schema.with_metadata({KEY: description})
    growing = {name: "DELTA_BINARY_PACKED" for name in _COUNTING if name in table.schema.names}
    writer = pa.parquet.ParquetWriter(path, schema, compression="zstd", use_dictionary=texts, column_encoding=growing)
    done = 0
    try:
        for batch in table.batches:
            piece = pa.Table.from_batches([batch]).replace_schema_metadata(schema.metadata)
            writer.write_table(piece, row_group_size=batch.num_rows)
            done += batch.num_rows
            progress(done, table.lines)
        writer.add_key_value_metadata({HIDDEN_KEY: str(table.hidden)})
    except BaseException:
        with suppress(Exception):  # after a failed write closing fails as well
            writer.close()
        raise
    writer.close()


def write_csv(path: Path, table: Table, progress: Progress, *, compress: bool) -> None:
    """Write a table as CSV (UTF-8, header, missing values empty), compressed with gzip if wanted."""
    with path.open("wb") as file:
        if not compress:
            _write_lines(file, table, progress)
            return
        # Without name and time in the header of gzip the same table gives the same bytes.
        with igzip.IGzipFile(filename="", mode="wb", compresslevel=2, fileobj=file, mtime=0) as packed:
            _write_lines(packed, table, progress)


def _write_lines(file: IO[bytes] | io.IOBase, table: Table, progress: Progress) -> None:
    done = 0
    header = True
    for batch in table.batches:
        options = pa.csv.WriteOptions(include_header=header, quoting_style="needed")
        buffer = pa.BufferOutputStream()
        pa.csv.write_csv(_without_commands(batch), buffer, options)
        file.write(memoryview(buffer.getvalue()))
        header = False
        done += batch.num_rows
        progress(done, table.lines)


def _without_commands(batch: Any) -> Any:
    """Return a batch in which no text would be taken for a formula by a spreadsheet.

    Texts come from scenarios; one that begins with ``=`` gets an apostrophe before it, as a person would type it.
    """
    columns = []
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            texts = [_plain(text) for text in column.dictionary.to_pylist()]
            column = pa.DictionaryArray.from_arrays(column.indices, pa.array(texts, type=pa.string()))
        columns.append(column)
    return pa.record_batch(columns, names=[_plain(name) for name in batch.schema.names])


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_COMMAND_CHARACTERS) else text


def describe_types(schema: Any) -> Mapping[str, str]:
    """Return the type of each column in words that a reader of CSV can use."""
    return {each.name: "text" if pa.types.is_dictionary(each.type) else str(each.type) for each in schema}
