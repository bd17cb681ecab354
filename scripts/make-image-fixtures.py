"""Records results of Pillow, PyTorch and torchvision, for the tests of src/image and src/node.

Run from the repository root with Debian's python3-pil, python3-numpy, python3-torch and
python3-torchvision:

    /usr/bin/python3 scripts/make-image-fixtures.py

Writes src/image/fixtures/{resize,interpolate,blur}.json and src/node/fixtures/. The latter contains
small encoded pictures, and expected.json with the pixels that Pillow reads from them. Arrays are
base64, either of bytes or of little-endian float32.
"""

import base64
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image, ImageCms, ImageOps, __version__ as pillow_version
from torch.nn import functional
from torchvision import transforms
from torchvision.transforms.functional import gaussian_blur

ROOT = Path(__file__).resolve().parent.parent
IMAGE_FIXTURES = ROOT / "src/image/fixtures"
NODE_FIXTURES = ROOT / "src/node/fixtures"
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def pixels(picture):
    array = np.asarray(picture)
    assert array.dtype == np.uint8 and array.shape[2:] == (3,)
    return {"width": array.shape[1], "height": array.shape[0], "rgb": text(array)}


def maps(x):
    return {"shape": list(x.shape), "values": text(x.numpy().astype("<f4"))}


def save_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")


def synthetic(width, height, seed):
    """A picture with gradients on the left, noise on the right, one bright bar with hard edges and
    one black-and-white checkerboard."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1)
    rgb[:, width // 2 :] = rng.integers(0, 256, (height, width - width // 2, 3))
    rgb[height // 3 : height // 3 + 3] = [255, 240, 0]
    corner = (x < 8) & (y < 8)
    rgb[corner] = np.where((x + y) % 2, 255, 0)[corner][:, None]
    return Image.fromarray(rgb.astype(np.uint8))


def make_resize():
    source = synthetic(41, 31, 1)
    sizes = [(5, 4), (17, 31), (41, 7), (45, 13)]
    cases = []
    for name, method in FILTERS.items():
        for size in sizes:
            cases.append({"filter": name, **pixels(source.resize(size, method))})
        box = (3.5, 2.25, 15.75, 11.0)
        cases.append({"filter": name, "box": box, **pixels(source.resize((20, 15), method, box))})
    crops = [pixels(transforms.CenterCrop((h, w))(source))
        for w, h in [(20, 20), (22, 21), (16, 40), (46, 12), (41, 31)]]
    shorter = []
    for width, height, size in [(500, 375, 256), (333, 500, 224), (41, 31, 19), (31, 41, 67),
        (7, 1000, 3), (64, 64, 50), (481, 360, 7)]:
        result = transforms.Resize(size)(Image.new("RGB", (width, height)))
        shorter.append({"from": [width, height], "size": size, "to": list(result.size)})
    save_json(
        IMAGE_FIXTURES / "resize.json",
        {"pillow": pillow_version, "torchvision": torchvision.__version__, "source": pixels(source),
            "resize": cases, "centerCrop": crops, "shorterSide": shorter},
    )


def make_interpolate():
    generator = torch.Generator().manual_seed(2)
    source = torch.randn(2, 4, 5, generator=generator)
    cases = []
    for mode, align in [("nearest", None), ("bilinear", False), ("bilinear", True),
        ("bicubic", False), ("bicubic", True)]:
        for size in [(8, 10), (3, 2), (13, 17), (4, 5), (1, 1)]:
            # In float32 the weights would be rounded.
            precise = source if mode == "nearest" else source.double()
            result = functional.interpolate(precise[None], size=size, mode=mode,
                align_corners=align)[0]
            cases.append({"mode": mode, "alignCorners": bool(align), **maps(result)})
    save_json(IMAGE_FIXTURES / "interpolate.json",
        {"torch": torch.__version__, "source": maps(source), "cases": cases})


def make_blur():
    generator = torch.Generator().manual_seed(3)
    source = torch.randn(2, 9, 12, generator=generator)
    gaussian = [
        {"kernelSize": size, "sigma": sigma, **maps(
            gaussian_blur(source, [size, size], [sigma, sigma]))}
        for size, sigma in [(3, 0.8), (5, 1.2), (15, 3.0)]
    ]
    kernel = torch.rand(5, 3, generator=generator)
    weight = torch.zeros(2, 2, 5, 3)
    weight[0, 0] = weight[1, 1] = kernel
    convolved = functional.conv2d(source[None], weight, padding=(2, 1))[0]
    save_json(
        IMAGE_FIXTURES / "blur.json",
        {"torchvision": torchvision.__version__, "source": maps(source), "gaussian": gaussian,
            "kernel": maps(kernel), "convolved": maps(convolved)},
    )


def write_png(path, depth, colour_type, rows):
    """Writes a PNG file without Pillow, because Pillow cannot write 16-bit RGB or RGBA."""

    def chunk(kind, body):
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    height, width = rows.shape[:2]
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def steep_profile():
    """An sRGB profile whose curve has exponent 1 instead of 2.4. It shows whether a decoder applies
    the profile, because then the pixels change a lot."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert profile.count(b"\x00\x02\x66\x66") == 1
    return profile.replace(b"\x00\x02\x66\x66", b"\x00\x01\x00\x00")


def on(background, picture):
    """Composites an RGBA picture on a colour, as Pillow does."""
    result = Image.new("RGB", picture.size, background)
    result.paste(picture, mask=picture.getchannel("A"))
    return result


def make_node():
    NODE_FIXTURES.mkdir(parents=True, exist_ok=True)
    expected = {}
    rng = np.random.default_rng(4)
    colour = synthetic(29, 23, 5)
    y, x = np.mgrid[0:23, 0:29]
    alpha = Image.fromarray((x * 9).clip(0, 255).astype(np.uint8))
    rgba = colour.copy()
    rgba.putalpha(alpha)

    def record(name, picture=None):
        if picture is None:
            picture = Image.open(NODE_FIXTURES / name).convert("RGB")
        expected[name] = pixels(picture)

    def save(name, picture, **options):
        picture.save(NODE_FIXTURES / name, **options)
        record(name)

    save("grey.jpg", colour.convert("L"), quality=90)
    save("colour-420.jpg", colour, quality=80, subsampling=2)
    save("progressive.jpg", synthetic(64, 48, 6), quality=80, progressive=True)
    save("profile.jpg", colour, quality=90, icc_profile=steep_profile())
    cmyk = Image.fromarray(np.dstack([np.asarray(colour), (x * y % 200).astype(np.uint8)]), "CMYK")
    save("cmyk.jpg", cmyk, quality=90)
    save("cmyk.tif", cmyk, compression="tiff_lzw")
    save("colour.tif", colour, compression="tiff_lzw", save_all=True,
        append_images=[ImageOps.invert(colour)])
    save("bilevel.png", colour.convert("1"))
    save("palette.png", colour.quantize(16))
    save("animated.gif", colour.quantize(64), save_all=True,
        append_images=[ImageOps.invert(colour).quantize(64)])
    save("animated.webp", colour, save_all=True, append_images=[ImageOps.invert(colour)],
        lossless=True)
    save("lossy.webp", colour, quality=80)

    rgba.save(NODE_FIXTURES / "rgba.png")
    record("rgba.png", on((255, 255, 255), rgba))
    expected["rgba.png on 10,200,77"] = pixels(on((10, 200, 77), rgba))
    grey_alpha = Image.merge("LA", [colour.convert("L"), alpha])
    grey_alpha.save(NODE_FIXTURES / "grey-alpha.png")
    record("grey-alpha.png", on((255, 255, 255), grey_alpha.convert("RGBA")))
    colour.quantize(16).save(NODE_FIXTURES / "palette-transparent.png", transparency=3)
    record("palette-transparent.png", on((255, 255, 255),
        Image.open(NODE_FIXTURES / "palette-transparent.png").convert("RGBA")))

    # Pillow clips 16-bit grey at 255 instead of scaling it. For 16-bit colour it keeps the high
    # byte.
    for name, colour_type, channels in [("grey16.png", 0, 1), ("rgb16.png", 2, 3)]:
        rows = rng.integers(0, 65536, (7, 9, channels)).astype(">u2")
        write_png(NODE_FIXTURES / name, 16, colour_type, rows)
        record(name, Image.fromarray(np.broadcast_to((rows >> 8).astype(np.uint8), (7, 9, 3))))
    assert np.array_equal(np.asarray(Image.open(NODE_FIXTURES / "rgb16.png")),
        (rows >> 8).astype(np.uint8))

    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        name = f"orientation-{orientation}.jpg"
        synthetic(13, 10, 7).save(NODE_FIXTURES / name, quality=90, subsampling=0,
            exif=exif.tobytes())
        record(name, ImageOps.exif_transpose(Image.open(NODE_FIXTURES / name)))

    Image.fromarray(np.linspace(0, 1, 63, dtype=np.float32).reshape(7, 9)).save(
        NODE_FIXTURES / "float.tif")  # refused
    colour.resize((9, 7)).save(NODE_FIXTURES / "refused.bmp")
    save_json(NODE_FIXTURES / "expected.json", expected)


make_resize()
make_interpolate()
make_blur()
make_node()
