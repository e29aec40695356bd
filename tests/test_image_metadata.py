"""What a file says of its picture: the recipe and the authorship, in every format, large and damaged."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from xml.etree import ElementTree

import numpy as np
import pytest
import tiny
from PIL import Image, PngImagePlugin

from dreamkit import api
from dreamkit.errors import DreamkitWarning, ImageError
from dreamkit.jobs.blend import blend
from dreamkit.media import image_metadata, image_writer, images, xmp
from dreamkit.media.image_metadata import Authorship

ENDINGS = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"]
RECIPE = {
    "dreamkit": "1.2.3",
    "options": {"layers": {"mixed4": 1.0}, "seed": 7},
    "photograph": "Bär 日本.jpg",
}
AUTHORSHIP = Authorship("A bear <in> the woods & 日本", "Anna Müller; Bob", "© 2020 Anna Müller")
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 36, 4), dtype=np.uint8)
DESCRIPTION, MAKE, ORIENTATION, ARTIST, COPYRIGHT, EXIF_IFD, GPS_IFD = 270, 271, 274, 315, 33432, 34665, 34853


def read(path):
    return images.read(path, 10**6)


def photo(path, **options):
    Image.fromarray(PIXELS[..., :3]).save(path, **options)
    return path


def exif(**texts):
    entries = Image.Exif()
    for name, text in texts.items():
        entries[globals()[name]] = text
    return entries


# Recipes


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.filterwarnings("ignore:.*transparency")
def test_the_recipe_is_read_back(tmp_path, ending, channels):
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, PIXELS[..., :channels], recipe=RECIPE)
    assert image_metadata.read_recipe(path) == RECIPE
    assert read(path).pixels.shape == (24, 36, 3)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_picture_without_a_recipe_has_none(tmp_path, ending):
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, PIXELS[..., :3])
    assert image_metadata.read_recipe(path) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a caption",
        "{",
        "[1, 2]",
        '"dreamkit"',
        "7",
        "null",
        '{"another": "program"}',
        '{"dreamkit": ' + "1" * 10_000 + "}",
        pytest.param("[" * 200_000, id="deep"),
    ],
)
def test_a_strange_recipe_is_none(tmp_path, text):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("dreamkit", text)
    path = photo(tmp_path / "dream.png", pnginfo=info)
    assert image_metadata.read_recipe(path) is None


@pytest.mark.parametrize("length", [65_000, 66_000, 2_000_000])
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_holds_a_long_recipe(tmp_path, ending, length):
    recipe = {"dreamkit": "1", "long": "<x>&" * (length // 4)}
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, PIXELS[..., :3], recipe=recipe)
    assert image_metadata.read_recipe(path) == recipe
    assert read(path).pixels.shape == (24, 36, 3)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
def test_a_recipe_too_long_to_be_read_is_left_out_with_one_warning(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(image_metadata, "_RECIPE_LIMIT", 1000)
    path = tmp_path / f"dream{ending}"
    with pytest.warns(DreamkitWarning, match="recipe is too long for a picture and is left out") as warned:
        image_writer.write(path, PIXELS[..., :3], recipe={"dreamkit": "1", "long": "x" * 1000})
    assert len(warned) == 1
    assert image_metadata.read_recipe(path) is None
    assert read(path).pixels.shape == (24, 36, 3)


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"])
def test_a_recipe_needs_a_readable_picture(tmp_path, content):
    path = tmp_path / "dream.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError, match=r"dream\.png"):
        image_metadata.read_recipe(path)


def test_a_recipe_in_the_caption_of_an_old_dream_is_read_and_is_not_its_caption(tmp_path):
    for ending in (".jpg", ".webp", ".tif"):
        path = photo(tmp_path / f"old{ending}", exif=exif(DESCRIPTION=json.dumps(RECIPE), ARTIST="Anna"))
        assert image_metadata.read_recipe(path) == RECIPE
        assert read(path).authorship == Authorship(artist="Anna")


def test_a_dream_of_a_dream_has_no_trace_of_the_old_recipe(tmp_path):
    old = photo(tmp_path / "old.jpg", exif=exif(DESCRIPTION=json.dumps(RECIPE)))
    image_writer.write(tmp_path / "new.jpg", PIXELS[..., :3], recipe=RECIPE, authorship=AUTHORSHIP)
    for path in (old, tmp_path / "new.jpg"):
        picture = read(path)
        for ending in ENDINGS:
            again = tmp_path / f"again{ending}"
            image_writer.write(again, picture.pixels, authorship=picture.authorship)
            assert b"1.2.3" not in again.read_bytes()
            again.unlink()


@pytest.mark.parametrize("ending", [".jpg", ".webp", ".tif"])
def test_a_recipe_is_not_the_caption(tmp_path, ending):
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, PIXELS[..., :3], recipe=RECIPE)
    with Image.open(path) as image:
        assert DESCRIPTION not in image.getexif()
        assert "comment" not in image.info
    assert read(path).authorship is None


# Long recipes in a JPEG


def segments(data):
    """The APP1 segments of a JPEG."""
    at = 2
    while data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        if data[at + 1] == 0xE1:
            yield data[at + 4 : at + 2 + length]
        at += 2 + length


def test_a_long_recipe_is_extended_xmp(tmp_path):
    recipe = {"dreamkit": "1", "long": "x" * 200_000}
    image_writer.write(tmp_path / "dream.jpg", PIXELS[..., :3], recipe=recipe, authorship=AUTHORSHIP)
    found = list(segments((tmp_path / "dream.jpg").read_bytes()))
    (main,) = (part for part in found if part.startswith(b"http://ns.adobe.com/xap/1.0/\0"))
    header = b"http://ns.adobe.com/xmp/extension/\0"
    parts = [part[len(header) :] for part in found if part.startswith(header)]
    guid = parts[0][:32]
    assert len(parts) == 4
    assert b"<xmpNote:HasExtendedXMP>" + guid in main
    assert "Anna Müller".encode() in main
    whole = b""
    for part in parts:
        assert part[:32] == guid
        total, offset = struct.unpack_from(">II", part, 32)
        assert offset == len(whole)
        whole += part[40:]
    assert len(whole) == total
    assert hashlib.md5(whole).hexdigest().upper().encode() == guid
    (element,) = ElementTree.fromstring(whole).iter("{urn:dreamkit:1.0/}recipe")
    assert json.loads(element.text) == recipe


def test_an_extension_that_is_incomplete_or_another_packets_is_passed_over(tmp_path):
    recipe = {"dreamkit": "1", "long": "x" * 200_000}
    image_writer.write(tmp_path / "dream.jpg", PIXELS[..., :3], recipe=recipe, authorship=AUTHORSHIP)
    main, *parts = (part for part in segments((tmp_path / "dream.jpg").read_bytes()) if b"adobe" in part)
    data = main.partition(b"\0")[2]
    assert json.loads(xmp.parse(data, parts)["recipe"]) == recipe
    assert json.loads(xmp.parse(data, reversed(parts))["recipe"]) == recipe
    others = [part.replace(part[35:67], b"0" * 32, 1) for part in parts]
    for given in (
        [],
        parts[1:],
        parts[:-1],
        others,
        [part[:50] for part in parts],
        [part[:70] for part in parts],
    ):
        assert xmp.parse(data, given) == {
            "description": AUTHORSHIP.description,
            "artist": AUTHORSHIP.artist,
            "copyright": AUTHORSHIP.copyright,
        }


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_long_caption_is_kept(tmp_path, ending):
    authorship = Authorship(description="é" * 100_000, artist="Anna")
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, PIXELS[..., :3], recipe=RECIPE, authorship=authorship)
    assert read(path).authorship == authorship
    assert image_metadata.read_recipe(path) == RECIPE


# Authorship


@pytest.mark.parametrize("recipe", [None, RECIPE], ids=["plain", "recipe"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_authorship_is_kept_in_every_format(tmp_path, ending, recipe):
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, PIXELS[..., :3], recipe=recipe, authorship=AUTHORSHIP, dpi=(300, 150))
    picture = read(path)
    assert picture.authorship == AUTHORSHIP
    assert picture.dpi == pytest.approx((300, 150), abs=0.05)
    assert image_metadata.read_recipe(path) == recipe
    with Image.open(path) as image:  # as other programs see it, EXIF's bytes being UTF-8
        entries = image.getexif()
        packet = image.info["xmp"]
    assert entries[DESCRIPTION].encode("latin-1").decode() == AUTHORSHIP.description
    assert entries[ARTIST].encode("latin-1").decode() == AUTHORSHIP.artist
    assert entries[COPYRIGHT].encode("latin-1").decode() == AUTHORSHIP.copyright
    text = packet.decode() if isinstance(packet, bytes) else packet
    assert (
        '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">A bear &lt;in&gt; the woods &amp; 日本</'
        in text
    )
    assert (
        "<dc:creator><rdf:Seq><rdf:li>Anna Müller</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>" in text
    )
    assert '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2020 Anna Müller</rdf:li></rdf:Alt>' in text


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("source", [".png", ".jpg", ".webp", ".tif"])
def test_a_photographs_authorship_is_kept_and_nothing_private(tmp_path, source, ending):
    entries = exif(
        DESCRIPTION="A bear", MAKE="SecretCamera", ORIENTATION=6, ARTIST="Anna", COPYRIGHT="Anna 2020"
    )
    entries.get_ifd(EXIF_IFD)[0x9003] = "2020:02:03 04:05:06"
    entries.get_ifd(EXIF_IFD)[0x9286] = b"ASCII\0\0\0SecretComment"
    entries.get_ifd(GPS_IFD)[29] = "1999:09:09"
    path = photo(tmp_path / f"photo{source}", exif=entries)
    assert b"SecretCamera" in path.read_bytes()
    picture = read(path)
    assert picture.pixels.shape == (36, 24, 3)
    assert picture.authorship == Authorship("A bear", "Anna", "Anna 2020")
    dream = tmp_path / f"dream{ending}"
    image_writer.write(dream, picture.pixels, recipe=RECIPE, authorship=picture.authorship)
    data = dream.read_bytes()
    for private in (b"Secret", b"2020:02:03", b"1999:09:09"):
        assert private not in data
    with Image.open(dream) as image:
        kept = image.getexif()
        assert ORIENTATION not in kept
        assert (kept[DESCRIPTION], kept[ARTIST], kept[COPYRIGHT]) == ("A bear", "Anna", "Anna 2020")
        assert not kept.get_ifd(GPS_IFD)
    assert read(dream).pixels.shape == (36, 24, 3)


def iptc(**texts):
    """A JPEG's APP13 segment, as Photoshop writes it."""
    numbers = {"description": 120, "artist": 80, "copyright": 116}
    data = b"".join(
        b"\x1c\x02" + bytes([numbers[name]]) + struct.pack(">H", len(each)) + each
        for name, each in ((name, each.encode()) for name, values in texts.items() for each in values)
    )
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
    content = b"Photoshop 3.0\0" + block
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content


def test_authorship_is_found_in_iptc(tmp_path):
    file = io.BytesIO()
    photo(
        file, format="JPEG", extra=iptc(description=["A bear, é"], artist=["Anna", "Bob"], copyright=["Anna"])
    )
    (tmp_path / "photo.jpg").write_bytes(file.getvalue())
    assert read(tmp_path / "photo.jpg").authorship == Authorship("A bear, é", "Anna; Bob", "Anna")


def test_authorship_is_found_in_xmp_of_other_programs(tmp_path):
    packet = """<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>
    <x:xmpmeta xmlns:x='adobe:ns:meta/'><r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
     <r:Description xmlns:d='http://purl.org/dc/elements/1.1/' d:rights='Anna &amp; Bob'>
      <d:description><r:Alt><r:li xml:lang='de'>Ein Bär</r:li><r:li xml:lang='x-default'>A bear</r:li></r:Alt>
      </d:description>
      <d:creator><r:Seq><r:li>Anna</r:li><r:li>Bob</r:li></r:Seq></d:creator>
     </r:Description></r:RDF></x:xmpmeta>
    <?xpacket end='w'?>""".encode()
    path = photo(tmp_path / "photo.jpg", xmp=packet)
    assert read(path).authorship == Authorship("A bear", "Anna; Bob", "Anna & Bob")
    path = photo(tmp_path / "photo.jpg", xmp=packet, exif=exif(ARTIST="Carl"))
    assert read(path).authorship == Authorship("A bear", "Carl", "Anna & Bob")  # EXIF first


def test_authorship_is_found_in_the_texts_of_a_png(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Anna")
    info.add_text("Copyright", "Anna 2020", zip=True)
    info.add_itxt("Description", "日本")
    assert read(photo(tmp_path / "photo.png", pnginfo=info)).authorship == Authorship(
        "日本", "Anna", "Anna 2020"
    )


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"Anna\0Bob", "Anna; Bob"),  # EXIF: the photographer's, then the editor's
        (b" \0", ""),
        (b"   ", ""),
        ("Müller".encode(), "Müller"),
        ("Müller".encode("latin-1"), "Müller"),
        (b"a\x01\x1b[31mb\r\nc", "a[31mb\nc"),
    ],
)
def test_odd_texts_of_exif(tmp_path, written, kept):
    path = photo(tmp_path / "photo.jpg", exif=exif(COPYRIGHT=written))
    assert (read(path).authorship or Authorship()).copyright == kept
    image_writer.write(tmp_path / "dream.jpg", PIXELS[..., :3], authorship=read(path).authorship)
    assert read(tmp_path / "dream.jpg").authorship == read(path).authorship


def test_a_pillow_image_has_its_authorship(tmp_path):
    image = Image.open(photo(tmp_path / "photo.jpg", exif=exif(ARTIST="Anna")))
    with image:
        assert images.from_memory(image).authorship == Authorship(artist="Anna")
    assert images.from_memory(Image.fromarray(PIXELS)).authorship is None
    assert images.from_memory(PIXELS).authorship is None


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 50}">' for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"no XML",
        b"<a",
        b"\xff\xfe\x00",
        b"<a></b>",
        (LAUGHS + "]><x>&h;</x>").encode(),
        (LAUGHS + "]><x>&h;</x>").encode("utf-16"),
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        b"<a>" * 200_000,
        b"<a>" * 200_000 + b"</a>" * 200_000,
        b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description/></r:RDF>',
        xmp.packet({"recipe": "["}),
        xmp.packet({"recipe": "[" * 100_000}),
        xmp.packet({"recipe": '{"another": "program"}'}),
    ],
    ids=range(14),
)
def test_a_strange_packet_is_passed_over(tmp_path, packet):
    for ending, options in ((".webp", {"xmp": packet}), (".tif", {"tiffinfo": {700: packet}})):
        path = photo(tmp_path / f"photo{ending}", **options)
        assert read(path).authorship is None
        assert image_metadata.read_recipe(path) is None


def test_a_dream_keeps_its_photographs_authorship(tmp_path):
    path = photo(tmp_path / "photo.jpg", exif=exif(DESCRIPTION="A bear", ARTIST="Anna"))
    dream = api.render(path, tiny.provider(), octaves=1, steps=1)
    dream.save(tmp_path / "dream.jpg")
    assert read(tmp_path / "dream.jpg").authorship == Authorship("A bear", "Anna")
    assert image_metadata.read_recipe(tmp_path / "dream.jpg") == dream.recipe
    blended = blend(read(tmp_path / "dream.jpg"), read(path), 0.5, dream.recipe)
    assert blended.authorship == Authorship("A bear", "Anna")


@pytest.mark.heavy
@pytest.mark.usefixtures("loaded_once")
def test_every_command_keeps_the_photographs_authorship(run, tmp_path):
    options = ["-m", "tiny", "--octaves", "1", "--steps", "1", "-q"]
    photo(tmp_path / "photo.jpg", exif=exif(DESCRIPTION="A bear", ARTIST="Anna"))
    assert run("dream", "photo.jpg", *options, "-o", "dream.jpg") == (0, "", "")
    assert run("redo", "dream.jpg", "photo.jpg", "-q", "-o", "redo.webp") == (0, "", "")
    assert run("blend", "dream.jpg", "photo.jpg", "--amount", "0.5", "-o", "blend.tif")[0] == 0
    assert run("batch", "photo.jpg", *options, "-o", "out", "--format", "jpg")[0] == 0
    for name in ("dream.jpg", "redo.webp", "blend.tif", "out/photo.jpg"):
        assert read(tmp_path / name).authorship == Authorship("A bear", "Anna"), name
        assert image_metadata.read_recipe(tmp_path / name)["options"]["steps"] == 1, name
