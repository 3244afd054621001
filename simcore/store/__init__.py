"""The HDF5 results file: its layout, writer and reader. Knows arrays, names and labels; nothing of what they mean.

Written block by block (`encode_block` in any thread, `Writer.commit` in one), read lazily (`open_results`). The format
is described line by line in ``docs/file_format.md``.
"""

from simcore.store.blocks import EncodedBlock, encode_block
from simcore.store.layout import (
    CHUNK_ROWS,
    FILETYPE,
    FORMAT_VERSION,
    Dimension,
    Layout,
    ParameterColumn,
    Variable,
)
from simcore.store.reader import Results, open_results
from simcore.store.target import check_target
from simcore.store.writer import Writer

__all__ = [
    "CHUNK_ROWS",
    "FILETYPE",
    "FORMAT_VERSION",
    "Dimension",
    "EncodedBlock",
    "Layout",
    "ParameterColumn",
    "Results",
    "Variable",
    "Writer",
    "check_target",
    "encode_block",
    "open_results",
]
