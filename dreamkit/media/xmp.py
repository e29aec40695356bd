"""XMP packets: a photograph's authorship in Dublin Core, and a dream's recipe in a namespace of our own.

A segment of a JPEG holds 64 KB. A longer packet is split into a main packet and ExtendedXMP segments with the
rest (Adobe, "XMP Specification Part 3", 2020, section 1.1.3.1).
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree import ElementTree

NAMESPACE = "urn:dreamkit:1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
_NOTE = "http://ns.adobe.com/xmp/note/"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_MAIN_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
_MAIN_LIMIT = 65_502  # bytes of a main packet
_PIECE = 65_400  # bytes of an extension in one segment
_PROPERTIES = {  # each with its name in the dictionaries of this module
    f"{{{_DC}}}description": "description",
    f"{{{_DC}}}creator": "artist",
    f"{{{_DC}}}rights": "copyright",
    f"{{{NAMESPACE}}}recipe": "recipe",
    f"{{{_NOTE}}}HasExtendedXMP": "extension",
}
_ILLEGAL = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML


def legal(text: str) -> str:
    """`text` with Unix line ends and without characters that XML cannot hold."""
    return _ILLEGAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def packet(properties: Mapping[str, str]) -> bytes:
    """A packet of `description`, `artist`, `copyright` and `recipe`, as far as they are given.

    Several artists are separated by "; ", as in EXIF.
    """
    return (
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n{_meta(properties)}\n<?xpacket end="w"?>'
    ).encode()


def jpeg_segments(properties: Mapping[str, str]) -> bytes:
    """The APP1 segments that hold what `packet` holds."""
    whole = packet(properties)
    if len(whole) <= _MAIN_LIMIT:
        return _segment(_MAIN_HEADER + whole)
    short = {name: text for name, text in properties.items() if name != "recipe"}
    if len(packet({**short, "extension": "0" * 32})) > _MAIN_LIMIT:
        short = {}
    extension = _meta({name: text for name, text in properties.items() if name not in short}).encode()
    guid = hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()
    segments = [_segment(_MAIN_HEADER + packet({**short, "extension": guid}))]
    for offset in range(0, len(extension), _PIECE):
        header = _EXTENSION_HEADER + guid.encode() + struct.pack(">II", len(extension), offset)
        segments.append(_segment(header + extension[offset : offset + _PIECE]))
    return b"".join(segments)


def parse(data: bytes, segments: Iterable[bytes] = ()) -> dict[str, str]:
    """The properties that a packet holds, by the names that `packet` takes; none if it is damaged.

    `segments` are the contents of a JPEG's APP1 segments, among them those of an extension.
    """
    found = _parse(data)
    guid = found.pop("extension", "")
    return {**_parse(_extension(guid, segments)), **found} if guid else found


def _meta(properties: Mapping[str, str]) -> str:
    elements = []
    if description := properties.get("description"):
        elements.append(f"<dc:description>{_alternative(description)}</dc:description>")
    if artist := properties.get("artist"):
        names = "".join(f"<rdf:li>{escape(name, quote=False)}</rdf:li>" for name in artist.split("; "))
        elements.append(f"<dc:creator><rdf:Seq>{names}</rdf:Seq></dc:creator>")
    if rights := properties.get("copyright"):
        elements.append(f"<dc:rights>{_alternative(rights)}</dc:rights>")
    if recipe := properties.get("recipe"):
        elements.append(f"<dreamkit:recipe>{escape(recipe, quote=False)}</dreamkit:recipe>")
    if guid := properties.get("extension"):
        elements.append(f"<xmpNote:HasExtendedXMP>{guid}</xmpNote:HasExtendedXMP>")
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about="" '
        f'xmlns:dc="{_DC}" xmlns:dreamkit="{NAMESPACE}" xmlns:xmpNote="{_NOTE}">{"".join(elements)}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def _alternative(text: str) -> str:
    return f'<rdf:Alt><rdf:li xml:lang="x-default">{escape(text, quote=False)}</rdf:li></rdf:Alt>'


def _segment(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def _extension(guid: str, segments: Iterable[bytes]) -> bytes:
    """The extension named `guid`, put together; empty if a part is missing."""
    header = _EXTENSION_HEADER + guid.encode()
    pieces: dict[int, bytes] = {}
    total = 0
    for segment in segments:
        if segment.startswith(header) and len(segment) >= len(header) + 8:
            total, offset = struct.unpack_from(">II", segment, len(header))
            pieces[offset] = segment[len(header) + 8 :]
    whole = b"".join(pieces[offset] for offset in sorted(pieces))
    return whole if len(whole) == total else b""


def _parse(data: bytes) -> dict[str, str]:
    if not data:
        return {}
    from xml.etree import ElementTree  # most pictures have no XMP

    try:
        text = data.decode().strip("\0")
        if "<!DOCTYPE" in text:  # XMP has none, and only there can entities be defined that grow for ever
            return {}
        root = ElementTree.fromstring(text)
    except (ValueError, ElementTree.ParseError):
        return {}
    found: dict[str, str] = {}
    for description in root.iter(f"{{{_RDF}}}Description"):
        values = [*description.items(), *((element.tag, _text(element)) for element in description)]
        for tag, value in values:
            if tag in _PROPERTIES and value:
                found.setdefault(_PROPERTIES[tag], value)
    return found


def _text(element: ElementTree.Element) -> str:
    """The text of a property: its own, the default language's, or that of all items."""
    items = list(element.iter(f"{{{_RDF}}}li"))
    if not items:
        return element.text or ""
    if element.find(f"{{{_RDF}}}Alt") is not None:
        items = [item for item in items if item.get(_LANGUAGE) == "x-default"] or items[:1]
    return "; ".join(item.text or "" for item in items)
