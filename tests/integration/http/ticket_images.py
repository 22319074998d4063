"""Ticket images as a scanner sees them."""

import re
from io import BytesIO
from typing import Final
from xml.etree import ElementTree

import zxingcpp
from PIL import Image

SVG: Final = "{http://www.w3.org/2000/svg}"
_DARK, _LIGHT = 0, 255
_STEP: Final = re.compile(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?")


def text_in(image: Image.Image) -> list[str]:
    """What the QR codes in the picture say."""
    found = zxingcpp.read_barcodes(image)
    assert {each.format for each in found} <= {zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.QRCodeModel2}
    return [each.text for each in found]


def png_image(body: bytes) -> Image.Image:
    return Image.open(BytesIO(body), formats=["PNG"]).convert("L")


def svg_image(body: bytes, pixels_per_module: int) -> Image.Image:
    """Draws the one dark line of the document, as long as it goes right in rows, on the light ground under it."""
    root = ElementTree.fromstring(body)
    _, _, width, height = map(int, root.attrib["viewBox"].split())
    ground, dark = root.findall(f"{SVG}path")
    assert (ground.attrib["fill"], ground.attrib["d"]) == ("#fff", f"M0 0h{width}v{height}h-{width}z")
    image = Image.new("L", (width, height), _LIGHT)
    x = y = 0.0
    steps = _STEP.findall(dark.attrib["d"])
    assert "".join(f"{command}{a}{' ' + b if b else ''}" for command, a, b in steps) == dark.attrib["d"]
    for command, a, b in steps:
        if command == "h":
            image.paste(_DARK, (int(x), int(y), int(x + float(a)), int(y) + 1))
        x = float(a) if command == "M" else x + float(a)
        y = float(b) if command == "M" else y + float(b or 0)
    return image.resize((width * pixels_per_module, height * pixels_per_module), Image.Resampling.NEAREST)
