"""The unfinished file as HDF5 sees it: a file whose writes never fail.

HDF5 cannot be left in peace after a failed write: closing the file tries the same write again, fails again, and may
end the process with a segmentation fault. So HDF5 writes through this object, which remembers the first failure and
from then on swallows what it is given. The writer asks for the failure after every step and reports it. For the same
reason no signal may raise an exception while HDF5 is at work (`simcore.store.signals`).
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from simcore.store.files import make_way

if TYPE_CHECKING:
    from typing_extensions import Buffer


class PartialFile(io.RawIOBase):
    """A new, empty file for HDF5's ``fileobj`` driver.

    Parameters
    ----------
    path : Path
        Replaced if it exists, a link itself and not what it leads to: it can only be a left-over of a dead process.

    Attributes
    ----------
    failure : OSError or None
        The first write that failed. After it the content is worthless.
    unflushed : int
        Bytes written since `flush_to_disk`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.failure: OSError | None = None
        self.unflushed = 0
        make_way(path)
        self._file = io.FileIO(path, "x+")

    def write(self, data: Buffer, /) -> int:
        """Write all of ``data``, or record why not and pretend."""
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view) and self.failure is None:
            try:
                written += self._file.write(view[written:]) or 0
            except OSError as problem:
                self.failure = problem
        self.unflushed += written
        return len(view)

    def readinto(self, buffer: Buffer, /) -> int:
        """Read into a buffer at the current position."""
        return self._file.readinto(buffer) or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the current position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the current position."""
        return self._file.tell()

    def truncate(self, size: int | None = None, /) -> int:
        """Set the length of the file, or record why not and pretend."""
        size = self.tell() if size is None else size
        if self.failure is None:
            try:
                self._file.truncate(size)
            except OSError as problem:
                self.failure = problem
        return size

    def flush_to_disk(self) -> None:
        """Return when the disk has everything that was written, or record why not."""
        self.unflushed = 0
        if self.failure is None:
            try:
                os.fsync(self._file.fileno())
            except OSError as problem:
                self.failure = problem

    def close(self) -> None:
        """Close the file; a failure that only shows now is recorded."""
        try:
            self._file.close()
        except OSError as problem:
            self.failure = self.failure or problem
        super().close()

    def readable(self) -> bool:
        """HDF5 reads back what it wrote."""
        return True

    def writable(self) -> bool:
        """HDF5 writes."""
        return True

    def seekable(self) -> bool:
        """HDF5 writes at any place."""
        return True
