#!/usr/bin/env python3
"""Makes tests/golden/pixels: small image files of odd sizes and many modes, damaged and hostile ones, and what Pillow makes of each.

    python3 tools/make_pixel_golden.py [--out tests/golden/pixels]

Needs Pillow, numpy and torchvision (for its Resize and CenterCrop). files.bin holds the files one after another; cases.json has, for each,
its place there, the CRC-32 of its pixels as RGB bytes (null where Pillow refuses the file) and of those after each pipeline; `truncated`
lists the same for the file's first so many bytes. LOAD_TRUNCATED_IMAGES is on, as in OpenOOD. The same versions make the same bytes.
"""

import argparse
import io
import json
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL
import torchvision
from PIL import Image, ImageFile, features
from torchvision import transforms

import pixel_forms
from pixel_forms import picture, saved

ImageFile.LOAD_TRUNCATED_IMAGES = True
warnings.simplefilter("ignore")

SIZES = [(1, 1), (1, 500), (500, 1), (33, 32), (32, 33), (2, 3), (3, 2), (31, 17), (9, 64), (64, 64), (7, 90), (90, 7), (47, 61)]
PIPELINES = {  # names as preprocess_id() has them
    "short32/crop32x32": (32, (32, 32)),
    "short256/crop224x224": (256, (224, 224)),
    "exact20x30/crop16x40": ((20, 30), (16, 40)),
}
TRUNCATION_STEP = 64


def pillow_files(width, height):
    """(name, bytes) of every mode that Pillow writes."""
    rgb, rgba = picture(width, height, 3), picture(width, height, 4)
    image, gray = Image.fromarray(rgb), Image.fromarray(rgb[:, :, 0])
    palette = image.quantize(min(23, max(2, width * height)))
    yield "1.png", saved(gray.convert("1"), "PNG")
    yield "l.png", saved(gray, "PNG")
    yield "p.png", saved(palette, "PNG")
    yield "p_trns.png", saved(palette, "PNG", transparency=bytes(range(0, 256, 12)))
    yield "la.png", saved(Image.fromarray(rgba[:, :, :2], "LA"), "PNG")
    yield "rgb.png", saved(image, "PNG")
    yield "rgba.png", saved(Image.fromarray(rgba), "PNG")
    yield "i16.png", saved(Image.fromarray(rgb[:, :, 0].astype(np.uint16) * 3), "PNG")
    yield "l.jpg", saved(gray, "JPEG", quality=85)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        yield f"{name}.jpg", saved(image, "JPEG", quality=85, subsampling=subsampling)
    yield "cmyk.jpg", saved(Image.fromarray(rgba, "CMYK"), "JPEG", quality=85)
    yield "progressive.jpg", saved(image, "JPEG", quality=85, progressive=True)
    yield "restart.jpg", saved(image, "JPEG", quality=85, restart_marker_blocks=2)
    if width * height > 2000:  # the bytes are not the point of these
        return
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        made = palette if mode == "P" else Image.fromarray(rgba) if mode == "RGBA" else image.convert(mode)
        yield f"{mode.lower()}.bmp", saved(made, "BMP")
    yield "p.gif", saved(palette, "GIF")
    yield "interlaced.gif", saved(palette, "GIF", interlace=1)
    yield "trns.gif", saved(palette, "GIF", transparency=1)


# ---- our own PNG writer: depths, filters and interlacing that Pillow does not write, and damage ----

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)]


def chunk(name, content, crc=None, length=None):
    crc = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">I", len(content) if length is None else length) + name + content + struct.pack(">I", crc)


def pack_rows(samples, depth):
    """[H,W,C] samples to bytes a row."""
    height = samples.shape[0]
    if depth == 16:
        return [samples[y].astype(">u2").tobytes() for y in range(height)]
    bits = np.unpackbits(samples.reshape(height, -1, 1).astype(np.uint8), axis=2)[:, :, 8 - depth :].reshape(height, -1)
    return [np.packbits(row).tobytes() for row in bits]


def filtered(rows, step):
    """The rows by the filters 0 to 4 in turn."""
    out, above = bytearray(), bytes(len(rows[0]))
    for number, row in enumerate(rows):
        kind = number % 5
        out.append(kind)
        for i, byte in enumerate(row):
            a, b, c = (row[i - step] if i >= step else 0), above[i], (above[i - step] if i >= step else 0)
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            out.append((byte - (0, a, b, (a + b) // 2, paeth)[kind]) & 255)
        above = row
    return bytes(out)


def header(width, height, depth, color, interlaced=0, compression=0, method=0):
    return struct.pack(">IIBBBBB", width, height, depth, color, compression, method, interlaced)


def png(width, height, depth, color, interlaced=False, palette=None, extra=b"", raw=None, stream=None, idat=None):
    """A PNG; `raw`, `stream` and `idat` replace the filtered rows, the zlib stream and the IDAT chunks."""
    random = np.random.default_rng([width, height, depth, color])
    samples = picture(width, height, CHANNELS[color]).astype(np.uint16)
    samples = samples * 257 // 2 + random.integers(0, 99, samples.shape) if depth == 16 else samples >> (8 - depth)
    step = max(1, CHANNELS[color] * depth // 8)
    if raw is None:
        passes = ADAM7 if interlaced else [(0, 1, 0, 1)]
        parts = [samples[top::down, left::across] for left, across, top, down in passes]
        raw = b"".join(filtered(pack_rows(part, depth), step) for part in parts if part.size)
    stream = zlib.compress(raw, 9) if stream is None else stream
    if color == 3 and palette is None:
        palette = random.integers(0, 256, 3 * min(1 << depth, 200)).astype(np.uint8).tobytes()
    body = chunk(b"IHDR", header(width, height, depth, color, int(interlaced)))
    body += chunk(b"PLTE", palette) if palette is not None else b""
    body += extra + (chunk(b"IDAT", stream) if idat is None else idat) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


DEPTHS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)]


def bmp(width, height, bits, masks=None, top_down=False, header=40, palette=None, pixels=None, compression=None, offset=None):
    """BMP forms that Pillow does not write. `palette` is a list of (blue, green, red); `pixels` replaces the rows, `offset` their place."""
    stride = (width * bits + 31) // 32 * 4
    if pixels is None:
        pixels = np.random.default_rng([width, height, bits]).integers(0, 256, stride * height, dtype=np.uint8).tobytes()
    given = palette
    if palette is None:
        palette = [(9 * i % 256, (50 + i) % 256, (200 - i) % 256) for i in range(1 << bits)] if bits <= 8 else []
    compression = (3 if masks else 0) if compression is None else compression
    colours = b"".join(struct.pack("BBB", *colour) + (b"" if header == 12 else b"\0") for colour in palette)
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        count = len(given) if given is not None else 0
        rows = -height if top_down else height
        info = struct.pack("<IiiHHIIiiII", header, width, rows, 1, bits, compression, len(pixels), 2835, 2835, count, 0)
        fields = struct.pack(f"<{len(masks)}I", *masks) if masks else b""
        info += fields if header == 40 else fields.ljust(header - 40, b"\0")
    offset = 14 + len(info) + len(colours) if offset is None else offset
    return struct.pack("<2sIHHI", b"BM", 14 + len(info) + len(colours) + len(pixels), 0, 0, offset) + info + colours + pixels


def grays(count):
    return [(i, i, i) for i in range(count)]


def bmp_files():
    for bits in (1, 4, 8, 16, 24, 32):
        yield f"own_{bits}.bmp", bmp(13, 9, bits)
    for bits in (1, 4, 8, 24):
        yield f"own_core_{bits}.bmp", bmp(11, 7, bits, header=12)
    for header_size in (52, 56, 64, 108, 124):
        yield f"own_header_{header_size}.bmp", bmp(11, 7, 8, header=header_size)
        yield f"own_header_{header_size}_565.bmp", bmp(11, 7, 16, (0xF800, 0x7E0, 0x1F), header=header_size)
    for bits in (1, 4, 8, 24):
        yield f"own_top_down_{bits}.bmp", bmp(13, 9, bits, top_down=True)
    yield "own_565.bmp", bmp(13, 9, 16, (0xF800, 0x7E0, 0x1F))
    yield "own_555.bmp", bmp(13, 9, 16, (0x7C00, 0x3E0, 0x1F))
    yield "own_fields_24.bmp", bmp(13, 9, 24, (0xFF0000, 0xFF00, 0xFF))
    for number, masks in enumerate((
        (0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0), (0xFF000000, 0xFF00, 0xFF, 0),
        (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000), (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (0xFF000000, 0xFF00, 0xFF, 0xFF0000), (0, 0, 0, 0),
    )):  # fmt: skip
        yield f"own_fields_32_{number}.bmp", bmp(13, 9, 32, masks, header=108)
        if masks[3] == 0:
            yield f"own_fields_32_{number}_behind.bmp", bmp(13, 9, 32, masks[:3])
    yield "own_few_colours.bmp", bmp(13, 9, 8, palette=[(1, 2, 3), (200, 100, 50)], pixels=bytes(i % 2 for i in range(16 * 9)))
    yield "own_beyond_palette.bmp", bmp(13, 9, 8, palette=[(1, 2, 3), (200, 100, 50)])
    yield "own_forgotten_palette.bmp", bmp(13, 9, 8, offset=54)
    yield "own_offset_0.bmp", bmp(13, 9, 4, offset=0)
    yield "own_black_and_white.bmp", bmp(13, 9, 1, palette=[(0, 0, 0), (255, 255, 255)])
    # gray palettes make Pillow forget how many bits a pixel has
    yield "own_gray_4.bmp", bmp(13, 9, 4, palette=grays(16))
    yield "own_gray_4_narrow.bmp", bmp(1, 9, 4, palette=grays(16))
    yield "own_gray_8_of_2.bmp", bmp(13, 9, 8, palette=[(0, 0, 0), (255, 255, 255)])
    yield "own_gray_8_of_100.bmp", bmp(13, 9, 8, palette=grays(100))
    runs8 = bytes([5, 7, 0, 0, 0, 3, 9, 8, 7, 0, 2, 200, 0, 0, 2, 3,
                   0, 0, 2, 1, 1, 9, 33, 0, 4, 1, 2, 3, 4, 0, 0, 13, 250, 0, 2, 0, 9, 0, 0, 5, 11, 0, 0, 9, 12, 0, 0, 3, 14, 0, 0, 0, 1])
    yield "own_runs_8.bmp", bmp(5, 7, 8, compression=1, pixels=runs8)
    yield "own_runs_8_top_down.bmp", bmp(5, 7, 8, compression=1, pixels=runs8, top_down=True)
    yield "own_runs_8_gray.bmp", bmp(5, 7, 8, compression=1, pixels=runs8, palette=grays(256))
    yield "own_runs_8_black_and_white.bmp", bmp(5, 7, 8, compression=1, pixels=runs8, palette=[(0, 0, 0), (255, 255, 255)])
    runs4 = bytes([5, 0x7A, 0, 0, 0, 3, 0x98, 0x70, 0, 0, 0, 5, 0x12, 0x34, 0x50, 0, 13, 0xC4, 0, 2, 2, 9,
                   0, 0, 5, 0x9D, 0, 0, 7, 0xE1, 0, 0, 3, 0x5F, 0, 0, 0, 1])
    yield "own_runs_4.bmp", bmp(5, 7, 4, compression=2, pixels=runs4)
    yield "own_runs_4_odd_place.bmp", bmp(5, 7, 4, compression=2, pixels=b"\0" + runs4, offset=14 + 40 + 64 + 1)


def offset_gif(transparency=None):
    """A frame smaller than its screen, with a colour table of its own."""
    options = {} if transparency is None else {"transparency": transparency}
    data = bytearray(saved(Image.fromarray(picture(9, 7, 3)).quantize(8), "GIF", **options))
    data[6:10] = struct.pack("<HH", 14, 12)
    at = data.index(b",")
    data[at + 1:at + 5] = struct.pack("<HH", 3, 2)
    return bytes(data)


CONTROL = b"!\xf9\4\1\0\0\3\0"  # colour 3 is transparent
COLOURS = bytes(range(20, 44))


def gif(table=COLOURS, local=b"", before=b"", screen=(9, 7), place=(0, 0), interlaced=False, data=None, end=b";"):
    """Colour tables, extensions and frames that Pillow does not write; `data` replaces the code size and the sub-blocks."""

    def flags(colours):
        return 0x80 | (len(colours) // 3).bit_length() - 2 if colours else 0

    if data is None:
        whole = saved(Image.fromarray(picture(9, 7, 3)).quantize(8), "GIF")
        data = whole[whole.index(b",", 13 + 24) + 10:-1]
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, flags(table), 0, 0) + table
    frame_head = b"," + struct.pack("<HHHHB", *place, 9, 7, flags(local) | (0x40 if interlaced else 0)) + local
    return head + before + frame_head + data + end


def gif_files():
    numbers = bytes(i for i in range(8) for _ in range(3))
    yield "own_offset.gif", offset_gif()
    yield "own_offset_trns.gif", offset_gif(3)
    yield "own_plain.gif", gif()
    yield "own_no_table.gif", gif(b"")
    yield "own_local.gif", gif(b"", COLOURS)
    yield "own_global_and_local.gif", gif(COLOURS[::-1], COLOURS)
    yield "own_short_table.gif", gif(COLOURS[:6])
    yield "own_short_local.gif", gif(COLOURS, COLOURS[:12])
    yield "own_gray_numbers.gif", gif(numbers)
    yield "own_gray_numbers_short.gif", gif(numbers[:6])
    yield "own_local_gray_numbers.gif", gif(COLOURS, numbers)
    yield "own_trns.gif", gif(before=CONTROL)
    yield "own_offset_interlaced.gif", gif(before=CONTROL, screen=(20, 11), place=(4, 3), interlaced=True)
    yield "own_offset_no_trns.gif", gif(screen=(20, 11), place=(4, 3))
    yield "own_trns_beyond_table.gif", gif(before=CONTROL.replace(b"\3\0", b"\xc8\0"), screen=(20, 11), place=(11, 4))
    yield "own_trns_then_none.gif", gif(before=CONTROL + CONTROL.replace(b"\4\1", b"\4\0"), screen=(20, 11))
    yield "own_beyond_screen.gif", gif(screen=(5, 4))
    yield "own_beyond_screen_place.gif", gif(before=CONTROL, screen=(5, 20), place=(3, 3))
    yield "own_no_screen.gif", gif(screen=(0, 0))
    yield "own_comment.gif", gif(before=b"!\xfe\5hello\3abc\0" + b"!\xfe\0")
    yield "own_loops.gif", gif(before=b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0")
    yield "own_junk_between.gif", gif(before=b"\0\0junk")
    yield "own_animated.gif", saved(
        Image.fromarray(picture(9, 7, 3)), "GIF", save_all=True, append_images=[Image.fromarray(picture(9, 7, 3)[::-1])]
    )


def own_files():
    yield from bmp_files()
    yield from gif_files()
    for width, height in ((1, 1), (5, 3), (13, 19), (64, 40)):
        for color, depth in DEPTHS:
            for interlaced in (False, True):
                name = f"color{color}_depth{depth}_{width}x{height}{'_interlaced' if interlaced else ''}.png"
                yield name, png(width, height, depth, color, interlaced)


def with_frame(jpeg, **changes):
    """The JPEG with its frame header changed: marker, bits, height, width."""
    at = next(i for i in range(len(jpeg)) if jpeg[i] == 0xFF and jpeg[i + 1] in (0xC0, 0xC2))
    out = bytearray(jpeg)
    out[at + 1] = changes.get("marker", out[at + 1])
    out[at + 4] = changes.get("bits", out[at + 4])
    if "height" in changes:
        out[at + 5 : at + 9] = struct.pack(">HH", changes["height"], changes["width"])
    return bytes(out)


def without(jpeg, marker):
    """The JPEG without its segments of one marker."""
    out, at = bytearray(jpeg[:2]), 2
    while jpeg[at + 1] != 0xDA:
        length = struct.unpack(">H", jpeg[at + 2 : at + 4])[0] + 2
        if jpeg[at + 1] != marker:
            out += jpeg[at : at + length]
        at += length
    return bytes(out + jpeg[at:])


def hostile_bmp_files():
    good = bmp(13, 9, 8)

    def changed(at, form, *values):
        return good[:at] + struct.pack(form, *values) + good[at + struct.calcsize(form):]

    yield "bmp_header_only.bmp", good[:30]
    yield "bmp_cut_header_124.bmp", bmp(13, 9, 24, header=124)[:137]
    yield "bmp_header_only_whole.bmp", good[:54]
    yield "bmp_half_palette.bmp", good[:54 + 510]
    yield "bmp_no_pixels.bmp", good[:54 + 1024]
    yield "bmp_offset_outside.bmp", changed(10, "<I", 1 << 30)
    yield "bmp_offset_outside_most.bmp", changed(10, "<I", 0xFFFFFFFF)
    yield "bmp_offset_in_header.bmp", changed(10, "<I", 3)
    yield "bmp_huge.bmp", changed(18, "<ii", 65500, 65500)
    yield "ours_bmp_side.bmp", changed(18, "<ii", 1, 2_000_000)
    yield "bmp_zero.bmp", changed(18, "<ii", 0, 9)
    yield "bmp_no_height.bmp", changed(18, "<ii", 13, 0)
    yield "bmp_negative_width.bmp", changed(18, "<ii", -13, 9)
    yield "bmp_most_negative_height.bmp", changed(18, "<ii", 13, -(1 << 31))
    yield "bmp_larger.bmp", changed(18, "<ii", 19, 300)
    yield "bmp_bits.bmp", changed(28, "<H", 7)
    yield "bmp_header_41.bmp", changed(14, "<I", 41)
    yield "bmp_header_most.bmp", changed(14, "<I", 0xFFFFFFFF)
    for compression in (1, 2, 3, 4, 5, 9):
        yield f"bmp_compression_{compression}.bmp", changed(30, "<I", compression)
    for count in (1, 257, 65536, 65537, 0xFFFFFFFF):
        yield f"bmp_colours_{count}.bmp", changed(46, "<I", count)
    yield "bmp_fields.bmp", bmp(13, 9, 32, (0xFF, 0xFF00, 0xFF00))
    yield "bmp_fields_overlap.bmp", bmp(13, 9, 16, (0xFFFF, 0xFFFF, 0xFFFF))
    yield "bmp_fields_cut.bmp", bmp(13, 9, 16, (0xF800, 0x7E0, 0x1F))[:60]
    yield "bmp_runs_of_24.bmp", bmp(13, 9, 24, compression=1)
    for name, runs in (
        ("none", b""), ("one_byte", b"\5"), ("end", b"\0\1"), ("too_few", b"\5\1\0\1"), ("too_long", b"\xff\1" * 9),
        ("skip_all", b"\0\2\xff\xff"),
        ("skip_cut", b"\0\2\xff"), ("literal_cut", b"\0\xc8\1\2\3"), ("literal_over_rows", b"\0\xc8" + bytes(range(200))),
        ("lines", b"\0\0" * 50),
    ):  # fmt: skip
        yield f"bmp_runs_8_{name}.bmp", bmp(5, 7, 8, compression=1, pixels=runs)
        yield f"bmp_runs_4_{name}.bmp", bmp(5, 7, 4, compression=2, pixels=runs)
    yield "bmp_runs_huge.bmp", bmp(13000, 13000, 8, compression=1, pixels=b"\5\1\0\1")


def hostile_gif_files():
    flat = saved(Image.fromarray(picture(21, 17, 3)).quantize(5), "GIF")
    plain = gif()
    yield "gif_header_only.gif", flat[:13]
    yield "gif_no_frame.gif", flat[:flat.index(b",")] + b";"
    yield "gif_huge.gif", flat[:6] + struct.pack("<HH", 65500, 65500) + flat[10:]
    yield "gif_huge_frame.gif", gif(place=(65535, 65535))
    yield "gif_no_width.gif", plain.replace(struct.pack("<HH", 9, 7) + b"\0", struct.pack("<HH", 0, 7) + b"\0")
    start = flat.index(b",") + 11
    yield "gif_garbage.gif", flat[:start] + bytes((i * 73 + 5) % 256 for i in range(len(flat) - start))
    for count in range(1, 6):  # Pillow needs neither the trailer nor the end of the sub-blocks
        yield f"gif_cut_{count}.gif", plain[:-count]
    for size in (0, 1, 8, 9, 12, 255):
        yield f"{'giflib_' if size in (1, 9) else ''}gif_code_size_{size}.gif", gif(data=bytes([size]) + b"\4\x84\x51\x11\0\0")
    yield "gif_no_pixels.gif", gif(data=b"\3\0")
    yield "gif_no_pixels_trns.gif", gif(data=b"\3\0", before=CONTROL)
    yield "gif_split_by_empty.gif", gif(data=b"\3\1\x18\0\0\1\x32\0")
    yield "gif_first_code_too_large.gif", gif(data=b"\3\2\xa8\xaa\0")
    yield "giflib_gif_code_too_large.gif", gif(data=b"\3\4\x18\xf2\x10\x32\0")
    yield "gif_ends_early.gif", gif(data=b"\3\3\x18\x92\x00\0")
    yield "gif_control_short.gif", gif(before=b"!\xf9\2\1\0\0")
    yield "gif_control_3.gif", gif(before=b"!\xf9\3\0\0\0\0")
    yield "gif_control_empty.gif", gif(before=b"!\xf9\0\0")
    yield "gif_extension_cut.gif", gif()[:37] + b"!\xfe\xffabc"
    yield "gif_table_cut.gif", plain[:20]


def hostile_files():
    """Damaged on purpose. "ours_" is refused by us alone; of "giflib_" and "libtiff_", the library takes damage for other pixels than Pillow."""
    yield from hostile_bmp_files()
    yield from hostile_gif_files()
    rgb = picture(23, 21, 3)
    jpeg = saved(Image.fromarray(rgb), "JPEG", quality=80)
    progressive = saved(Image.fromarray(rgb), "JPEG", quality=80, progressive=True)
    good = png(23, 21, 8, 2)
    rows = filtered(pack_rows(rgb, 8), 3)
    stream = zlib.compress(rows)
    signature = good[:8]
    yield "empty", b""
    yield "garbage", bytes(range(256))
    yield "two_bytes", b"\xff\xd8"
    yield "bmp", saved(Image.fromarray(rgb), "BMP")[:2] + b"rest"
    # JPEG
    yield "jpeg_soi_only", b"\xff\xd8\xff"
    yield "jpeg_huge", with_frame(jpeg, width=65500, height=65500)
    yield "jpeg_huge_progressive", with_frame(progressive, width=65500, height=65500)
    yield "jpeg_no_width", with_frame(jpeg, width=0, height=21)
    yield "jpeg_no_height", with_frame(jpeg, width=23, height=0)
    yield "jpeg_larger", with_frame(jpeg, width=40, height=64)
    yield "jpeg_smaller", with_frame(jpeg, width=9, height=8)
    yield "jpeg_12_bit", with_frame(jpeg, bits=12)
    yield "jpeg_arithmetic", with_frame(jpeg, marker=0xC9)
    yield "jpeg_lossless", with_frame(jpeg, marker=0xC3)
    yield "jpeg_baseline_as_progressive", with_frame(jpeg, marker=0xC2)
    yield "jpeg_progressive_as_baseline", with_frame(progressive, marker=0xC0)
    for name, marker in (("no_sof", 0xC0), ("no_dqt", 0xDB), ("no_dht", 0xC4), ("no_app", 0xE0)):
        yield f"jpeg_{name}", without(jpeg, marker)
    yield "jpeg_no_sos", jpeg[: jpeg.index(b"\xff\xda")] + b"\xff\xd9"
    yield "jpeg_two_sof", jpeg[:2] + jpeg[jpeg.index(b"\xff\xc0") :][:19] + jpeg[2:]
    yield "jpeg_segment_too_long", jpeg[:2] + b"\xff\xe5\xff\xff" + jpeg[2:]
    yield "jpeg_segment_too_short", jpeg[:2] + b"\xff\xe5\x00\x00" + jpeg[2:]
    yield "jpeg_junk_between", jpeg[:2] + b"junk\xff\xff\xff" + jpeg[2:]
    yield "jpeg_trailing", jpeg + b"trailing" * 9
    yield "jpeg_twice", jpeg + jpeg
    yield "jpeg_zeros_after_header", jpeg[: jpeg.index(b"\xff\xda") + 14] + bytes(300)
    scan = progressive[progressive.index(b"\xff\xda") : progressive.index(b"\xff\xd9")][:400]
    first = scan[: scan.index(b"\xff", 20)]
    yield "ours_jpeg_600_scans", progressive[: progressive.index(b"\xff\xda")] + first * 600 + b"\xff\xd9"
    # PNG
    yield "png_signature_only", signature
    yield "png_huge", signature + chunk(b"IHDR", header(65500, 65500, 8, 2)) + chunk(b"IDAT", stream) + chunk(b"IEND", b"")
    yield "png_huge_width", signature + chunk(b"IHDR", header(0xFFFFFFFF, 1, 8, 2)) + chunk(b"IDAT", stream)
    yield "png_no_width", png(23, 21, 8, 2).replace(header(23, 21, 8, 2), header(0, 21, 8, 2))
    yield "png_no_width_right_checksum", signature + chunk(b"IHDR", header(0, 21, 8, 2)) + chunk(b"IDAT", stream)
    yield "png_bomb", png(1200, 1200, 8, 0, raw=bytes(1201 * 1200 * 40))
    yield "png_depth_3", signature + chunk(b"IHDR", header(23, 21, 3, 0)) + chunk(b"IDAT", stream)
    yield "png_color_5", signature + chunk(b"IHDR", header(23, 21, 8, 5)) + chunk(b"IDAT", stream)
    yield "png_compression_1", signature + chunk(b"IHDR", header(23, 21, 8, 2, compression=1)) + chunk(b"IDAT", stream)
    yield "png_filter_method_1", signature + chunk(b"IHDR", header(23, 21, 8, 2, method=1)) + chunk(b"IDAT", stream)
    yield "png_interlace_9", signature + chunk(b"IHDR", header(23, 21, 8, 2, interlaced=9)) + chunk(b"IDAT", stream)
    yield "png_short_header", signature + chunk(b"IHDR", header(23, 21, 8, 2)[:9]) + chunk(b"IDAT", stream)
    yield "png_no_header", signature + chunk(b"IDAT", stream) + chunk(b"IEND", b"")
    yield "png_two_headers", signature + chunk(b"IHDR", header(9, 9, 8, 0)) + good[8:]
    yield "png_header_checksum", good[:29] + b"\0\0\0\0" + good[33:]
    yield "png_palette_checksum", png(23, 21, 8, 3).replace(b"PLTE", b"PLTE\1", 1)
    yield "png_ancillary_checksum", png(23, 21, 8, 2, extra=chunk(b"gAMA", b"\0\0\xb1\x8f", crc=1))
    yield "png_critical_unknown_checksum", png(23, 21, 8, 2, extra=chunk(b"ABCD", b"1234", crc=1))
    yield "png_critical_unknown", png(23, 21, 8, 2, extra=chunk(b"ABCD", b"1234"))
    yield "png_chunk_too_long", png(23, 21, 8, 2, extra=chunk(b"gAMA", b"\0\0\xb1\x8f", length=0xFFFFFFFF))
    yield "png_chunk_not_ascii", png(23, 21, 8, 2, extra=chunk(b"g\xc3MA", b"1234"))
    yield "png_profile_method_7", png(23, 21, 8, 2, extra=chunk(b"iCCP", b"name\0\7data"))
    yield "png_profile_garbage", png(23, 21, 8, 2, extra=chunk(b"iCCP", b"name\0\0data"))
    yield "png_text_method_7", png(23, 21, 8, 2, extra=chunk(b"zTXt", b"name\0\7data"))
    yield "png_text_no_method", png(23, 21, 8, 2, extra=chunk(b"zTXt", b"name"))
    yield "png_short_gama", png(23, 21, 8, 2, extra=chunk(b"gAMA", b"\0"))
    yield "png_long_trns", png(23, 21, 8, 3, extra=chunk(b"tRNS", bytes(300)))
    yield "png_rgb_trns", png(23, 21, 8, 2, extra=chunk(b"tRNS", struct.pack(">HHH", *map(int, rgb[0, 0]))))
    yield "png_idat_checksum", good[:-20] + bytes([good[-20] ^ 1]) + good[-19:]
    yield "png_adler", png(23, 21, 8, 2, stream=stream[:-4] + b"\0\0\0\0")
    yield "png_no_adler", png(23, 21, 8, 2, stream=stream[:-4])
    yield "png_zlib_header", png(23, 21, 8, 2, stream=b"\0\0" + stream[2:])
    yield "png_zlib_garbage", png(23, 21, 8, 2, stream=stream[:200] + b"\xff" * 50 + stream[250:])
    yield "png_no_data", png(23, 21, 8, 2, stream=b"")
    yield "png_too_few_rows", png(23, 21, 8, 2, raw=rows[:700])
    yield "png_too_many_rows", png(23, 21, 8, 2, raw=rows + rows)
    yield "png_filter_9", png(23, 21, 8, 2, raw=rows[: 70 * 5] + b"\x09" + rows[70 * 5 + 1 :])
    yield "png_trailing", good + b"trailing"
    yield "png_no_iend", good[:-12]
    yield "png_only_iend", signature + chunk(b"IHDR", header(23, 21, 8, 2)) + chunk(b"IEND", b"")
    yield "png_many_idats", png(23, 21, 8, 2, idat=b"".join(chunk(b"IDAT", stream[i : i + 7]) for i in range(0, len(stream), 7)))
    yield "png_empty_idats", png(23, 21, 8, 2, idat=chunk(b"IDAT", b"") * 3 + chunk(b"IDAT", stream) + chunk(b"IDAT", b""))
    between = chunk(b"IDAT", stream[:300]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", stream[300:])
    yield "png_chunk_between_idats", png(23, 21, 8, 2, idat=between)
    yield "png_idat_too_long", png(23, 21, 8, 2, idat=chunk(b"IDAT", stream, length=0x7FFFFFFF))
    yield "png_no_palette", png(23, 21, 8, 3, palette=b"").replace(chunk(b"PLTE", b""), b"")
    yield "png_short_palette", png(23, 21, 8, 3, palette=bytes(range(100, 130)))
    yield "png_odd_palette", png(23, 21, 8, 3, palette=bytes(range(100, 131)))
    yield "png_long_palette", png(23, 21, 8, 3, palette=bytes(257 * 3))
    yield "png_palette_16_truncated", png(23, 21, 4, 3)[:-90]
    yield "png_animated", png(23, 21, 8, 2, extra=chunk(b"acTL", struct.pack(">II", 1, 0)) + frame(23, 21))
    yield "ours_png_animated_part", png(23, 21, 8, 2, extra=chunk(b"acTL", struct.pack(">II", 1, 0)) + frame(9, 9))


def frame(width, height):
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 10, 0, 0))


def truncated_files():
    """Also read cut off at every 64 bytes."""
    rgb = Image.fromarray(picture(57, 45, 3))
    small = Image.fromarray(picture(23, 15, 3))
    yield "cut_rgb.bmp", saved(small, "BMP")
    yield "cut_p.bmp", saved(small.quantize(9), "BMP")
    yield "cut_runs.bmp", bmp(31, 17, 8, compression=1, pixels=b"".join(bytes([1, i]) for i in range(31)) * 17)
    yield "cut.gif", saved(rgb.quantize(17), "GIF")
    yield "cut_trns.gif", saved(rgb.quantize(17), "GIF", transparency=5)
    yield "cut_interlaced.gif", saved(rgb.quantize(17), "GIF", interlace=1)
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        yield f"cut_{name}.jpg", saved(rgb, "JPEG", quality=85, subsampling=subsampling)
    yield "cut_gray.jpg", saved(rgb.convert("L"), "JPEG", quality=85)
    yield "cut_cmyk.jpg", saved(Image.fromarray(picture(57, 45, 4), "CMYK"), "JPEG", quality=85)
    yield "cut_restart.jpg", saved(rgb, "JPEG", quality=85, restart_marker_blocks=3)
    yield "cut_progressive_444.jpg", saved(rgb, "JPEG", quality=85, subsampling=0, progressive=True)
    yield "cut_progressive_gray.jpg", saved(rgb.convert("L"), "JPEG", quality=85, progressive=True)
    yield "cut_progressive_420.jpg", saved(rgb, "JPEG", quality=85, subsampling=2, progressive=True)
    for color, depth in ((0, 1), (0, 8), (2, 8), (3, 4), (6, 8), (2, 16)):
        for interlaced in (False, True):
            yield f"cut_color{color}_depth{depth}{'_interlaced' if interlaced else ''}.png", png(45, 37, depth, color, interlaced)


# ---- what Pillow makes of them ----


def decoded(data):
    """An RGB image, or None where Pillow refuses."""
    try:
        return Image.open(io.BytesIO(data)).convert("RGB")
    except Exception:  # noqa: BLE001  (Pillow raises many kinds)
        return None


def crc(image):
    return f"{zlib.crc32(image.tobytes()):08x}"


def results(data, names):
    image = decoded(data)
    if image is None:
        return {"rgb_crc32": None}
    out = {"size_wh": list(image.size), "rgb_crc32": crc(image), "pipelines": {}}
    for name in names:
        size, crop = PIPELINES[name]
        pipeline = transforms.Compose([transforms.Resize(size), transforms.CenterCrop(crop)])
        out["pipelines"][name] = crc(pipeline(image))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "tests/golden/pixels")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    files, cases = bytearray(), {"good": [], "hostile": [], "truncated": []}

    def add(kind, name, data, names):
        case = {"name": name, "offset": len(files), "bytes": len(data), **results(data, names)}
        files.extend(data)
        cases[kind].append(case)
        return case

    for width, height in SIZES:
        for name, data in pillow_files(width, height):
            add("good", f"{width}x{height}_{name}", data, PIPELINES)
    for name, data in own_files():
        add("good", name, data, PIPELINES)
    for name, data in (*pixel_forms.pillow_tiffs(), *pixel_forms.own_tiffs(), *pixel_forms.pnm_files(), *pixel_forms.webp_files()):
        add("good", name, data, PIPELINES)
    for name, data in (*hostile_files(), *pixel_forms.hostile_tiffs(), *pixel_forms.hostile_pnms(), *pixel_forms.hostile_webps()):
        add("hostile", name, data, list(PIPELINES)[:1])
    for name, data in (*truncated_files(), *pixel_forms.truncated_tiffs(), *pixel_forms.truncated_pnms()):
        case = add("truncated", name, data, [])
        first = list(PIPELINES)[0]
        case["cuts"] = []
        for length in range(TRUNCATION_STEP, len(data), TRUNCATION_STEP):
            cut = results(data[:length], [first])
            case["cuts"].append([length, cut["rgb_crc32"], cut.get("pipelines", {}).get(first)])

    versions = {
        "pillow": PIL.__version__,
        "libjpeg_turbo": features.version("libjpeg_turbo"),
        "zlib": features.version("zlib"),
        "torchvision": torchvision.__version__.split("+")[0],
        "numpy": np.__version__,
    }
    (out / "files.bin").write_bytes(files)
    lines = [f'"versions": {json.dumps(versions)}']
    lines += [f'"{kind}": [\n' + ",\n".join(json.dumps(case) for case in cases[kind]) + "\n]" for kind in cases]
    (out / "cases.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{sum(map(len, cases.values()))} files, {len(files)} bytes")


if __name__ == "__main__":
    main()
