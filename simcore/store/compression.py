"""Chunks as HDF5 stores them: byte shuffle, then deflate in a zlib container.

HDF5's own pipeline ``shuffle + gzip`` reads these chunks without any plug-in, but makes them slowly and on one thread
at a time. ISA-L makes the same deflate format several times as fast and without the interpreter lock, so the bytes
are made in worker threads and handed to HDF5 as they are (``write_direct_chunk``), and read in the same way.

*Shuffle* of ``n`` items of ``w`` bytes: byte 0 of every item, then byte 1 of every item, and so on. Small counts leave
the high bytes zero, which is what makes counts compress well.

Of a drawn parameter only the highest byte, sign and most of the exponent, gets smaller; the other seven are noise, and
looking for patterns in them would be most of the work. They go into the same stream as they are (blocks of type 0,
RFC 1951, 3.2.4), under its Adler-32 like everything else: a chunk takes half the time, and no more bytes.
"""

from __future__ import annotations

import threading
import zlib
from typing import Any, Final

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

LEVEL: Final = 1  # of ISA-L: levels 2 and 3 cost time and gain nothing on counts
_CONTAINER: Final = b"\x78\x01"  # of zlib (RFC 1950): deflate, a window of 32 KiB
_NOISY_PLANES: Final = 7  # of a float64
_LOOKED_AT: Final = 64  # bytes at each end of the lowest plane; of so many random ones 57 are different,
_DIFFERENT: Final = 40  # and practically never fewer than these

_scratch = threading.local()
_StreamError: Any = isal_zlib.error  # its type stub says instance where it is a class


def encode_chunk(values: NDArray[Any], largest: int | None = None) -> bytes:
    """Shuffle and deflate one chunk.

    Parameters
    ----------
    values : C-contiguous array of a fixed-width, little-endian type
        The whole chunk, padded to its full shape.
    largest : int, optional
        Where it is known that no item is larger, and none negative; else it is looked for.
    """
    planes = _shuffle(values, largest)
    if values.dtype.kind == "f" and _is_noise(planes[0]):
        return _deflate_noise(planes)
    encoded: bytes = isal_zlib.compress(planes, LEVEL)
    return encoded


def _is_noise(plane: NDArray[np.uint8]) -> bool:
    """Whether the bytes of a plane are noise from its beginning to its end: the last chunk of a run is padded."""
    ends = plane[:_LOOKED_AT], plane[-_LOOKED_AT:]
    return all(len(set(end.tobytes())) >= _DIFFERENT for end in ends)


def _deflate_noise(planes: NDArray[np.uint8]) -> bytes:
    """Return the zlib stream of float64 planes [8, n]: all but the highest stored, that one compressed."""
    stored = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)  # level 0: stored blocks
    pieces = [
        _CONTAINER,
        stored.compress(planes[:_NOISY_PLANES].data),
        stored.flush(zlib.Z_SYNC_FLUSH),  # ends at a byte, and is not the end of the stream
        isal_zlib.compress(planes[_NOISY_PLANES:], LEVEL, -isal_zlib.MAX_WBITS),
        isal_zlib.adler32(planes).to_bytes(4, "big"),
    ]
    return b"".join(pieces)


def _shuffle(values: NDArray[Any], largest: int | None = None) -> NDArray[np.uint8]:
    """Return the bytes of ``values`` by place, uint8 [width, n], in memory that the next call of this thread reuses."""
    width, size = values.dtype.itemsize, values.size
    if getattr(_scratch, "size", 0) < width * size:
        _scratch.size = width * size
        _scratch.memory = np.empty(width * size, dtype=np.uint8)
    planes: NDArray[np.uint8] = _scratch.memory[: width * size].reshape(width, size)
    words = values.reshape(-1).view(f"<u{width}")
    if values.dtype.kind == "f":
        used = width
    else:
        used = -(-(int(words.max(initial=0)) if largest is None else largest).bit_length() // 8)
    if used > 2:
        planes[:] = words.view(np.uint8).reshape(size, width).T
        return planes
    # Counts are small: narrowing whole words is vectorised, picking bytes out of them is not.
    narrow = words.astype("<u2")
    for byte in range(used):
        np.copyto(planes[byte], narrow >> 8 * byte if byte else narrow, casting="unsafe")
    planes[used:] = 0
    return planes


def decode_chunk(
    encoded: bytes, dtype: np.dtype[Any], size: int, *, shuffled: bool = True, deflated: bool = True
) -> NDArray[Any]:
    """Inflate and unshuffle one chunk.

    Parameters
    ----------
    encoded : bytes
    dtype : numpy dtype
    size : int
        Number of items that the chunk must hold; no more memory than this is ever taken.
    shuffled, deflated : bool
        Which of the two was done to it; the format's own chunks had both.

    Returns
    -------
    array [size] of dtype

    Raises
    ------
    ValueError
        The bytes are no zlib stream, fail their Adler-32 checksum, or hold another number of items.
    """
    expected = size * dtype.itemsize
    content = _inflate(encoded, expected) if deflated else encoded
    if len(content) != expected:
        raise ValueError(f"a chunk that does not unpack to its {expected:,} bytes")
    if not shuffled:
        return np.frombuffer(content, dtype=dtype)
    planes = np.frombuffer(content, dtype=np.uint8).reshape(dtype.itemsize, size)
    items = np.empty((size, dtype.itemsize), dtype=np.uint8)
    for byte, plane in enumerate(planes):  # three times as fast as copying the transposed array
        items[:, byte] = plane
    return items.reshape(-1).view(dtype)


def _inflate(encoded: bytes, expected: int) -> bytes:
    """Inflate a stream of so many bytes; a longer one is cut one byte later, and its length found wrong."""
    stream = isal_zlib.decompressobj()
    try:
        content: bytes = stream.decompress(encoded, expected + 1)
    except _StreamError as problem:
        raise ValueError(f"{problem}") from None
    if len(content) == expected and not stream.eof:
        raise ValueError(f"a chunk that does not unpack to its {expected:,} bytes")
    if stream.unused_data:  # an index that leads to another chunk, or says that this one is longer than it is
        raise ValueError("more than one stream")
    return content
