"""TIFF, PPM/PGM/PBM and WebP files for make_pixel_golden.py: forms that Pillow writes, and those that only others do."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def picture(width, height, channels):
    """Smooth waves with some noise, the same for the same arguments."""
    random = np.random.default_rng([width, height, channels])
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    waves = 128 + 70 * np.sin(x / 7 + c) + 50 * np.cos(y / 5 - 2 * c) + random.normal(0, 6, (height, width, channels))
    return np.clip(waves, 0, 255).astype(np.uint8)


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


# ---- TIFF ----

WIDTH, HEIGHT = 37, 21  # no multiple of a tile's 16, nor of 8 bits


def tiff(samples, photometric, bits=8, order="<", big=False, tile=None, rows=HEIGHT, planar=False, extra=(), orientation=None,
         palette=None, fill=1, sample_format=None, pack=None, compression=1, tags=(), data=None, after=b""):
    """A TIFF of [H,W,C] samples. `rows` a strip or `tile` (width, height); `pack` compresses a strip; `data` replaces the strips."""
    height, width, channels = samples.shape
    types = {8: "u1", 16: order + "u2", 32: samples.dtype.newbyteorder(order).str}

    def packed(part):
        if bits >= 8:
            raw = part.astype(types[bits]).tobytes()
        else:
            rest = np.unpackbits(part.reshape(part.shape[0], -1, 1).astype(np.uint8), axis=2)[:, :, 8 - bits :]
            raw = np.packbits(rest.reshape(part.shape[0], -1), axis=1).tobytes()
        raw = pack(raw) if pack else raw
        return bytes(int(f"{byte:08b}"[::-1], 2) for byte in raw) if fill == 2 else raw

    chunks = [] if data is None else data
    for plane in [] if data is not None else [samples[:, :, c : c + 1] for c in range(channels)] if planar else [samples]:
        if tile:
            across, down = -width % tile[0], -height % tile[1]
            padded = np.pad(plane, ((0, down), (0, across), (0, 0)), constant_values=77)
            for top in range(0, height, tile[1]):
                chunks += [packed(padded[top : top + tile[1], left : left + tile[0]]) for left in range(0, width, tile[0])]
        else:
            chunks += [packed(plane[top : top + rows]) for top in range(0, height, rows)]
    word, long_type, size = ("Q", 16, 8) if big else ("I", 4, 4)
    head = {"<": b"II", ">": b"MM"}[order]
    head += struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    entries = [(256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * channels), (259, 3, [compression]), (262, 3, [photometric]),
               (277, 3, [channels])]
    entries += [(266, 3, [fill])] if fill != 1 else []
    entries += [(274, 3, [orientation])] if orientation else []
    entries += [(284, 3, [2])] if planar else []
    entries += [(320, 3, palette)] if palette else []
    entries += [(338, 3, list(extra))] if extra else []
    entries += [(339, 3, [sample_format] * channels)] if sample_format else []
    entries += list(tags)
    entries += [(322, 4, [tile[0]]), (323, 4, [tile[1]]), (324, long_type, None), (325, 4, [len(c) for c in chunks])] if tile else [
        (273, long_type, None), (278, 4, [rows]), (279, 4, [len(c) for c in chunks])]
    entries.sort(key=lambda entry: entry[0])
    codes = {3: "H", 4: "I", 16: "Q"}
    count_code, entry_size = ("Q", 20) if big else ("H", 12)
    at = len(head) + struct.calcsize(order + count_code) + entry_size * len(entries) + size  # of what does not fit into an entry
    bodies, directory = b"", b""
    lengths = {tag: (len(chunks) if values is None else len(values)) for tag, _, values in entries}
    beyond = sum(n * struct.calcsize(codes[kind]) for (tag, kind, _) in entries if (n := lengths[tag]) * struct.calcsize(codes[kind]) > size)
    places = [at + beyond + sum(len(c) for c in chunks[:i]) for i in range(len(chunks))]
    for tag, kind, values in entries:
        values = places if values is None else values
        content = struct.pack(f"{order}{len(values)}{codes[kind]}", *values)
        if len(content) <= size:
            field = content.ljust(size, b"\0")
        else:
            field, bodies = struct.pack(order + word, at + len(bodies)), bodies + content
        directory += struct.pack(order + "HH" + word, tag, kind, len(values)) + field
    directory = struct.pack(order + count_code, len(entries)) + directory + struct.pack(order + word, 0)
    return head + directory + bodies + b"".join(chunks) + after


def tiff_palette(bits):
    random = np.random.default_rng(bits)
    return [int(value) for value in random.integers(0, 65536, 3 << bits)]


def pillow_tiffs():
    rgba = picture(WIDTH, HEIGHT, 4)
    rgb = Image.fromarray(rgba[:, :, :3])
    gray = rgb.convert("L")
    made = {"1": gray.convert("1"), "L": gray, "P": rgb.quantize(23), "LA": Image.fromarray(rgba[:, :, :2], "LA"), "RGB": rgb,
            "RGBA": Image.fromarray(rgba), "CMYK": Image.fromarray(rgba, "CMYK"),
            "I16": Image.fromarray(rgba[:, :, 0].astype(np.uint16) * 3), "I": Image.fromarray(rgba[:, :, 0].astype(np.int32) * 3 - 99),
            "F": Image.fromarray(rgba[:, :, 0].astype(np.float32) * 1.7 - 99), "YCbCr": rgb.convert("YCbCr")}
    for mode, image in made.items():
        if mode != "YCbCr":
            yield f"tiff_{mode.lower()}.tif", saved(image, "TIFF")
        for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
            if mode != "YCbCr":
                yield f"tiff_{mode.lower()}_{compression}.tif", saved(image, "TIFF", compression=compression)
        if mode in ("L", "RGB", "CMYK", "YCbCr"):
            yield f"tiff_{mode.lower()}_jpeg.tif", saved(image, "TIFF", compression="jpeg", quality=85)
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield f"tiff_1_{compression}.tif", saved(made["1"], "TIFF", compression=compression)
    for compression in ("tiff_lzw", "tiff_adobe_deflate"):
        yield f"tiff_rgb_{compression}_predictor.tif", saved(rgb, "TIFF", compression=compression, tiffinfo={317: 2})
    yield "tiff_rgb_strips.tif", saved(rgb, "TIFF", strip_size=WIDTH * 3 * 4)
    yield "tiff_rgb_strips_lzw.tif", saved(rgb, "TIFF", compression="tiff_lzw", strip_size=WIDTH * 3 * 4)
    yield "tiff_pages.tif", saved(rgb, "TIFF", save_all=True, append_images=[gray, made["P"]])


def own_tiffs():
    rgba = picture(WIDTH, HEIGHT, 4)
    rgb, gray = rgba[:, :, :3], rgba[:, :, :1]
    wide = rgba.astype(np.uint16) * 257 // 2 + 5
    for order in "<>":
        name = {"<": "ii", ">": "mm"}[order]
        for bits in (1, 2, 4, 8):
            few = gray >> (8 - bits)
            for photometric in (0, 1):
                yield f"tiff_own_{name}_gray{bits}_{photometric}.tif", tiff(few, photometric, bits, order)
            yield f"tiff_own_{name}_palette{bits}.tif", tiff(few, 3, bits, order, palette=tiff_palette(bits))
            yield f"tiff_own_{name}_palette{bits}_deflate.tif", tiff(few, 3, bits, order, palette=tiff_palette(bits), pack=zlib.compress, compression=8)
        yield f"tiff_own_{name}_gray16.tif", tiff(wide[:, :, :1] // 100, 1, 16, order)
        yield f"tiff_own_{name}_gray16_deflate.tif", tiff(wide[:, :, :1] // 100, 1, 16, order, pack=zlib.compress, compression=8)
        yield f"tiff_own_{name}_gray16_signed.tif", tiff(wide[:, :, :1] // 100 + 65400, 1, 16, order, sample_format=2)
        yield f"tiff_own_{name}_rgb.tif", tiff(rgb, 2, 8, order, rows=4)
        yield f"tiff_own_{name}_rgb16.tif", tiff(wide[:, :, :3], 2, 16, order, rows=4)
        yield f"tiff_own_{name}_rgb16_deflate.tif", tiff(wide[:, :, :3], 2, 16, order, rows=4, pack=zlib.compress, compression=8)
        yield f"tiff_own_{name}_rgba16.tif", tiff(wide, 2, 16, order, extra=(2,))
        yield f"tiff_own_{name}_rgba16_multiplied.tif", tiff(wide, 2, 16, order, extra=(1,))
        yield f"tiff_own_{name}_rgbx16.tif", tiff(wide, 2, 16, order, extra=(0,))
        yield f"tiff_own_{name}_cmyk16.tif", tiff(wide, 5, 16, order)
        yield f"tiff_own_{name}_float.tif", tiff(gray.astype(np.float32) * 1.5 - 60, 1, 32, order, sample_format=3)
        yield f"tiff_own_{name}_int32.tif", tiff(gray.astype(np.int32) * 3 - 99, 1, 32, order, sample_format=2)
    yield "tiff_own_ii_big.tif", tiff(rgb, 2, 8, big=True, rows=5)
    yield "tiff_own_gray16_white.tif", tiff(wide[:, :, :1] // 100, 0, 16)
    yield "tiff_own_uint32.tif", tiff(gray.astype(np.uint32) * 3, 1, 32)
    for extra in ((0,), (1,), (2,), (0, 0), (1, 0), (2, 0), (0, 0, 0), (1, 0, 0), (2, 0, 0), (999,)):
        channels = np.concatenate([rgba] + [gray] * (len(extra) - 1), axis=2)
        yield f"tiff_own_rgb_extra_{'_'.join(map(str, extra))}.tif", tiff(channels, 2, extra=extra)
    yield "tiff_own_rgba_unnamed.tif", tiff(rgba, 2)
    yield "tiff_own_gray_any.tif", tiff(rgba[:, :, :2], 1, extra=(0,))
    yield "tiff_own_palette_any.tif", tiff(rgba[:, :, :2], 3, extra=(0,), palette=tiff_palette(8))
    yield "tiff_own_cmyk_any.tif", tiff(np.concatenate([rgba, gray], axis=2), 5, extra=(0,))
    for fill_bits in (1, 2, 4, 8):
        yield f"tiff_own_fill2_gray{fill_bits}.tif", tiff(gray >> (8 - fill_bits), 1, fill_bits, fill=2)
        yield f"tiff_own_fill2_palette{fill_bits}_deflate.tif", tiff(
            gray >> (8 - fill_bits), 3, fill_bits, fill=2, palette=tiff_palette(fill_bits), pack=zlib.compress, compression=8)
    yield "tiff_own_fill2_palette8.tif", tiff(gray, 3, fill=2, palette=tiff_palette(8))
    yield "tiff_own_fill2_rgb.tif", tiff(rgb, 2, fill=2)
    yield "tiff_own_fill2_rgb_deflate.tif", tiff(rgb, 2, fill=2, pack=zlib.compress, compression=8)
    for tile in ((16, 16), (32, 16), (48, 32)):
        yield f"tiff_own_tiles_{tile[0]}x{tile[1]}.tif", tiff(rgb, 2, tile=tile)
        yield f"tiff_own_tiles_{tile[0]}x{tile[1]}_deflate.tif", tiff(rgb, 2, tile=tile, pack=zlib.compress, compression=8)
        yield f"tiff_own_tiles_{tile[0]}x{tile[1]}_gray1.tif", tiff(gray >> 7, 1, 1, tile=tile)
    yield "tiff_own_planes.tif", tiff(rgb, 2, planar=True, rows=4)
    yield "tiff_own_planes_deflate.tif", tiff(rgb, 2, planar=True, rows=4, pack=zlib.compress, compression=8)
    yield "tiff_own_planes_alpha.tif", tiff(rgba, 2, planar=True, extra=(2,))
    yield "tiff_own_planes_tiles.tif", tiff(rgb, 2, planar=True, tile=(16, 16))
    for orientation in range(1, 9):
        yield f"tiff_own_orientation_{orientation}.tif", tiff(rgb, 2, orientation=orientation)
        yield f"tiff_own_orientation_{orientation}_deflate.tif", tiff(rgb, 2, orientation=orientation, pack=zlib.compress, compression=8)


def hostile_tiffs():
    rgba = picture(WIDTH, HEIGHT, 4)
    rgb = rgba[:, :, :3]
    whole = tiff(rgb, 2, rows=4)
    yield "tiff_two_bytes.tif", b"II"
    yield "tiff_header_only.tif", whole[:8]
    yield "tiff_directory_beyond.tif", whole[:4] + struct.pack("<I", 1 << 30) + whole[8:]
    yield "ours_tiff_directory_circle.tif", whole[:8] + struct.pack("<H", 65535) + whole[10:]
    for bits in (1, 2, 4):
        yield f"tiff_fill2_palette{bits}.tif", tiff(rgb[:, :, :1] >> (8 - bits), 3, bits, fill=2, palette=tiff_palette(bits))
    wide = tiff(rgb, 2).replace(struct.pack("<HHII", 256, 4, 1, WIDTH), struct.pack("<HHII", 256, 4, 1, 1 << 17))
    yield "tiff_wide.tif", wide
    yield "tiff_huge.tif", wide.replace(struct.pack("<HHII", 257, 4, 1, HEIGHT), struct.pack("<HHII", 257, 4, 1, 1 << 17))
    yield "tiff_no_width.tif", tiff(rgb, 2).replace(struct.pack("<HHII", 256, 4, 1, WIDTH), struct.pack("<HHII", 256, 4, 1, 0))
    yield "tiff_higher.tif", tiff(rgb, 2).replace(struct.pack("<HHII", 257, 4, 1, HEIGHT), struct.pack("<HHII", 257, 4, 1, HEIGHT + 9))
    yield "tiff_no_strips.tif", tiff(rgb, 2).replace(struct.pack("<HHI", 273, 4, 1), struct.pack("<HHI", 65000, 4, 1))
    yield "tiff_lab.tif", saved(Image.fromarray(rgb).convert("RGB"), "TIFF").replace(struct.pack("<HHIH", 262, 3, 1, 2), struct.pack("<HHIH", 262, 3, 1, 11))
    yield "tiff_mm_big.tif", tiff(rgb, 2, 8, ">", big=True, rows=5)
    yield "tiff_two_channels.tif", tiff(rgba[:, :, :2], 1)
    yield "tiff_gray_multiplied.tif", tiff(rgba[:, :, :2], 1, extra=(1,))
    yield "libtiff_no_palette.tif", tiff(rgb[:, :, :1], 3)
    yield "tiff_3_bits.tif", tiff(rgb[:, :, :1] >> 5, 1, 3)
    yield "tiff_float_rgb.tif", tiff(rgb.astype(np.float32), 2, 32, sample_format=3)
    yield "tiff_unknown_compression.tif", tiff(rgb, 2, compression=12345)
    yield "tiff_deflate_garbage.tif", tiff(rgb, 2, compression=8, data=[b"\x78\x9c" + b"\xff" * 99])
    yield "tiff_deflate_short.tif", tiff(rgb, 2, compression=8, pack=lambda raw: zlib.compress(raw[:-40]))
    yield "tiff_deflate_long.tif", tiff(rgb, 2, compression=8, pack=lambda raw: zlib.compress(raw + raw))
    yield "tiff_tile_huge.tif", tiff(rgb, 2, tile=(48, 32), compression=8, pack=zlib.compress).replace(
        struct.pack("<HHII", 322, 4, 1, 48), struct.pack("<HHII", 322, 4, 1, 1 << 20))
    yield "ours_tiff_lab8.tif", tiff(rgb, 8)
    yield "ours_tiff_ycbcr.tif", tiff(rgb, 6)
    yield "ours_tiff_planes_cmyk.tif", tiff(rgba, 5, planar=True)
    yield "ours_tiff_gray12.tif", tiff(rgb[:, :, :1], 1, 12, data=[bytes(range(256)) * 5])


def truncated_tiffs():
    """Also read cut off at every 64 bytes."""
    rgb = picture(31, 17, 3)
    yield "cut_strips.tif", tiff(rgb, 2, rows=3)
    yield "cut_one_strip.tif", tiff(rgb, 2, rows=17)
    yield "cut_tiles.tif", tiff(rgb, 2, tile=(16, 16))
    yield "cut_planes.tif", tiff(rgb, 2, planar=True, rows=17)
    yield "cut_mm_16.tif", tiff(rgb.astype(np.uint16) * 200, 2, 16, ">")
    yield "cut_palette4.tif", tiff(rgb[:, :, :1] >> 4, 3, 4, palette=tiff_palette(4))
    yield "cut_cmyk.tif", tiff(picture(31, 17, 4), 5, rows=3)
    yield "cut_orientation_6.tif", tiff(rgb, 2, rows=3, orientation=6)
    yield "cut_deflate.tif", tiff(rgb, 2, rows=3, pack=zlib.compress, compression=8)
    yield "cut_lzw.tif", saved(Image.fromarray(rgb), "TIFF", compression="tiff_lzw")


# ---- PBM, PGM, PPM ----


def text(values, columns=9):
    flat = [str(int(value)) for value in values.reshape(-1)]
    return "\n".join(" ".join(flat[i : i + columns]) for i in range(0, len(flat), columns)).encode() + b"\n"


def pnm(kind, samples, most=None, header=None):
    height, width = samples.shape[:2]
    head = f"P{kind}\n{width} {height}\n".encode() if header is None else header
    head += f"{most}\n".encode() if most is not None else b""
    if kind <= 3:
        return head + text(samples)
    if kind == 4:
        return head + np.packbits(samples.reshape(height, width).astype(np.uint8), axis=1).tobytes()
    return head + samples.astype(">u2" if most > 255 else "u1").tobytes()


def pnm_files():
    rgb = picture(13, 9, 3)
    gray, bits = rgb[:, :, :1], rgb[:, :, :1] >> 7
    yield "1.pbm", pnm(1, bits)
    yield "4.pbm", pnm(4, bits)
    yield "no_blanks.pbm", b"P1 13 9\n" + bytes(48 + int(bit) for bit in bits.reshape(-1))
    for most in (255, 1, 15, 77, 254, 256, 300, 1000, 4095, 65535):
        samples = (rgb.astype(np.int64) * most // 255).astype(np.int64)
        for kind, part in ((2, samples[:, :, :1]), (3, samples), (5, samples[:, :, :1]), (6, samples)):
            yield f"{kind}_{most}.{'ppm' if kind % 3 == 0 else 'pgm'}", pnm(kind, part, most)
    yield "above.pgm", pnm(5, gray, 77)
    yield "above_16.ppm", pnm(6, rgb.astype(np.int64) * 9, 1000)
    yield "comments.ppm", b"P6#c\n".replace(b"#c", b" #c") + b"# a comment\n1#within\r3 #\n9\n#\n255\n" + rgb.tobytes()
    yield "comments_in_data.pgm", b"P2\n2 2\n255\n1#c\n2 #d 9\n3\n4\n 5 6"
    yield "comments_in_bits.pbm", b"P1\n4 2\n1 0#1\n 1\n1 0 0 0 1"
    yield "plus.pgm", b"P2\n2 1\n255\n+1 7 "
    yield "one_blank.pgm", b"P5 2 1 255 \n\x07"
    yield "trailing.ppm", pnm(6, rgb, 255) + b"trailing"
    yield "saved_l.pgm", saved(Image.fromarray(gray[:, :, 0]), "PPM")
    yield "saved_i16.pgm", saved(Image.fromarray(gray[:, :, 0].astype(np.uint16) * 5), "PPM")


def hostile_pnms():
    rgb = picture(13, 9, 3)
    good = pnm(6, rgb, 255)
    yield "pnm_magic_only", b"P6\n"
    yield "pnm_p7", b"P7" + good[2:]
    yield "pnm_no_blank", b"P6x" + good[2:]
    yield "pnm_no_height", b"P6\n13"
    yield "pnm_no_pixels", b"P6\n13 9\n255\n"
    yield "pnm_zero", b"P6\n0 9\n255\n"
    yield "pnm_negative", b"P6\n-13 9\n255\n" + rgb.tobytes()
    yield "pnm_huge", b"P6\n999999 999999\n255\n" + rgb.tobytes()
    yield "pnm_long_number", b"P6\n00000000013 9\n255\n" + rgb.tobytes()
    yield "pnm_ten_digits", b"P6\n0000000013 9\n255\n" + rgb.tobytes()
    yield "pnm_no_number", b"P6\n13 nine\n255\n" + rgb.tobytes()
    yield "pnm_most_0", b"P6\n13 9\n0\n" + rgb.tobytes()
    yield "pnm_most_65536", b"P6\n13 9\n65536\n" + rgb.tobytes()
    yield "pnm_text_short", pnm(3, rgb, 255)[:-9]
    yield "pnm_text_above", b"P2\n2 1\n100\n7 101\n"
    yield "pnm_text_negative", b"P2\n2 1\n100\n7 -1\n"
    yield "pnm_text_word", b"P2\n2 1\n100\n7 x\n"
    yield "pnm_text_cut_number", b"P2\n2 1\n255\n7 25"
    yield "pnm_bits_2", b"P1\n2 1\n1 2\n"
    yield "pnm_bits_junk_behind", b"P1\n2 1\n1 0\nx"
    yield "pnm_bits_more", b"P1\n2 1\n1 0 1 1 0\n"
    yield "pnm_scaled_short", pnm(6, rgb // 4, 77)[:-3]
    yield "pnm_16_short", pnm(5, rgb[:, :, :1].astype(np.int64) * 4, 1000)[:-1]


def truncated_pnms():
    rgb = picture(23, 15, 3)
    yield "cut.ppm", pnm(6, rgb, 255)
    yield "cut.pgm", pnm(5, rgb[:, :, :1], 255)
    yield "cut_16.pgm", pnm(5, rgb[:, :, :1].astype(np.int64) * 3, 65535)
    yield "cut.pbm", pnm(4, np.repeat(rgb[:, :, :1] >> 7, 9, axis=1))
    yield "cut_text.pgm", pnm(2, rgb[:, :, :1], 255)


# ---- WebP ----


def riff(*chunks):
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def three(value):
    return struct.pack("<I", value)[:3]


def animation(canvas, place, frames, alpha=True, background=0x80FF4020):
    """An animated WebP of frames that are smaller than the canvas, which Pillow does not write."""
    parts = [webp_chunk(b"VP8X", bytes([0x12 if alpha else 2, 0, 0, 0]) + three(canvas[0] - 1) + three(canvas[1] - 1)),
             webp_chunk(b"ANIM", struct.pack("<IH", background, 0))]
    for image, options in frames:
        still = saved(image, "WEBP", **options)
        at, content = 12, b""
        while at < len(still):  # all of a still image but its VP8X
            length = struct.unpack("<I", still[at + 4 : at + 8])[0]
            if still[at : at + 4] != b"VP8X":
                content += still[at : at + 8 + length + length % 2]
            at += 8 + length + length % 2
        head = three(place[0] // 2) + three(place[1] // 2) + three(image.width - 1) + three(image.height - 1) + three(100) + b"\0"
        parts.append(webp_chunk(b"ANMF", head + content))
    return riff(*parts)


def webp_files():
    rgba = Image.fromarray(picture(29, 23, 4))
    rgb, other = rgba.convert("RGB"), Image.fromarray(picture(29, 23, 3)[::-1])
    yield "lossy.webp", saved(rgb, "WEBP", quality=80)
    yield "lossless.webp", saved(rgb, "WEBP", lossless=True)
    yield "lossy_alpha.webp", saved(rgba, "WEBP", quality=80)
    yield "lossless_alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True)
    for lossless in (False, True):
        name = "lossless" if lossless else "lossy"
        yield f"animated_{name}.webp", saved(rgb, "WEBP", save_all=True, append_images=[other], lossless=lossless)
        yield f"animated_alpha_{name}.webp", saved(rgba, "WEBP", save_all=True, append_images=[other.convert("RGBA")], lossless=lossless)
        frames = [(rgba, {"lossless": lossless, "exact": True}), (other, {"lossless": lossless})]
        yield f"own_animated_{name}.webp", animation((29, 23), (0, 0), frames)
        yield f"own_animated_place_{name}.webp", animation((41, 33), (6, 4), frames)
        yield f"own_animated_opaque_{name}.webp", animation((41, 33), (6, 4), [(rgb, {"lossless": lossless})], alpha=False)


def hostile_webps():
    rgb = Image.fromarray(picture(29, 23, 3))
    frames = [(rgb, {"lossless": True})]
    good = animation((41, 33), (6, 4), frames)
    yield "webp_animated_no_frame", animation((41, 33), (0, 0), [])
    yield "webp_animated_outside", animation((41, 33), (20, 4), frames)
    yield "webp_animated_cut", good[:-40]
    yield "webp_animated_damaged", good[:-200] + bytes(200)
    yield "webp_animated_huge", good.replace(three(40) + three(32), three(16383) + three(16383), 1)
