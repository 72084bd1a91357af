"""A file that came in, packed by blocks: never held whole, and read from anywhere in it.

Each block is packed by itself: whoever goes on in the middle unpacks one block, not all before it.
"""

from __future__ import annotations

import codecs
import hashlib
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

BLOCK = 256 * 1024
# Quick rather than small: tables shrink to a fifth even so.
LEVEL = 1
# Up to here the packed file stays in memory.
IN_MEMORY = 4 * 1024 * 1024


@dataclass(frozen=True)
class PackedFile:
    """What came in: its size, hash, first bytes and line ends, whether it is UTF-8, its blocks."""

    size: int
    sha256: str
    head: bytes
    lines: int
    is_utf8: bool
    lengths: tuple[int, ...]
    packed: Any

    def blocks(self) -> Iterator[bytes]:
        """The packed blocks in their order, from the first one each time."""
        self.packed.seek(0)
        for length in self.lengths:
            yield self.packed.read(length)

    def close(self) -> None:
        """Forget the blocks."""
        self.packed.close()


def pack(stream: IO[bytes]) -> PackedFile:
    """Read a stream to its end and pack it; who has it closes it."""
    packed = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)
    decoder: Any = codecs.getincrementaldecoder("utf-8")()
    sha, size, lines, head, lengths = hashlib.sha256(), 0, 0, b"", []
    while block := _full_block(stream):
        head = head or block
        sha.update(block)
        size += len(block)
        lines += max(block.count(b"\n"), block.count(b"\r"))
        decoder = _decodes(decoder, block)
        lengths.append(packed.write(zlib.compress(block, LEVEL)))
    is_utf8 = _decodes(decoder, b"", final=True) is not None
    return PackedFile(size, sha.hexdigest(), head, lines, is_utf8, tuple(lengths), packed)


class Utf8Stream:
    """A stream of UTF-16 as one of UTF-8; any other as it is.

    Spreadsheets save "Unicode text" as UTF-16, and nobody who does so knows it.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        begin = stream.read(2)
        self._stream = stream
        self._rest = begin
        is_utf16 = begin in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        self._decoder = codecs.getincrementaldecoder("utf-16")("replace") if is_utf16 else None

    def read(self, size: int = BLOCK) -> bytes:
        """The next bytes, some `size` of them; none at the end."""
        while True:
            part = self._rest + self._stream.read(max(size - len(self._rest), 1))
            self._rest = b""
            if self._decoder is None or not part:
                return part
            text = self._decoder.decode(part)
            if text:
                return text.encode("utf-8", "replace")


def unpack(block: bytes) -> bytes:
    """The bytes of one block."""
    return zlib.decompress(block)


def _full_block(stream: IO[bytes]) -> bytes:
    """The next block; only the last one is shorter than the others."""
    parts, missing = [], BLOCK
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _decodes(decoder: Any, block: bytes, *, final: bool = False) -> Any:
    """The decoder, ready for the next block; None once a block was not in its encoding."""
    if decoder is None:
        return None
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return None
    return decoder
