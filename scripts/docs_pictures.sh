#!/usr/bin/env bash
# Makes the pictures of README and docs anew, by dreamkit's own commands.
#
#   scripts/docs_pictures.sh OUT_FOLDER [NAME ...]
#
# Without names, all of them. INCEPTION5H and INCEPTION_V3 name weights files where they are not in the cache.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1
shift
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
photos=docs/pictures
bin=${DREAMKIT:-.venv/bin/dreamkit}
five=(--model inception5h ${INCEPTION5H:+--weights "$INCEPTION5H"})
three=(--model inception_v3 ${INCEPTION_V3:+--weights "$INCEPTION_V3"})

dream() { # PHOTO RESULT OPTIONS...
    local photo=$1 result=$2
    shift 2
    "$bin" dream "$photos/$photo.jpg" -o "$result" --overwrite --quiet "$@"
}
row() { # RESULT PICTURES... : side by side, their file names below
    local result=$1
    shift
    "$bin" compare "$@" -o "$result" --overwrite --quiet --height "${HEIGHT:-220}"
}

jpeg() { # PICTURE RESULT [WIDTH]
    .venv/bin/python - "$@" <<'END'
import sys

from PIL import Image

picture, result, *width = sys.argv[1:]
with Image.open(picture) as image:
    if width:
        image = image.resize((int(*width), round(image.height * int(*width) / image.width)), Image.Resampling.LANCZOS)
    image.save(result, quality=88)
END
}

first() { # README's first pictures, with the defaults alone
    dream chelsea "$out/chelsea.dream.jpg"
    dream rocket "$out/rocket.dream.jpg"
}
layers() { # each join layer of pocket
    for layer in conv2d2 mixed3a mixed3b mixed4a mixed4b mixed4c mixed4d mixed4e mixed5a mixed5b; do
        dream rocket "$work/$layer.png" --max-size 400 --layers $layer
    done
    row "$out/layers.jpg" "$work"/{conv2d2,mixed3a,mixed3b,mixed4a,mixed4b}.png
    row "$out/layers-deep.jpg" "$work"/{mixed4c,mixed4d,mixed4e,mixed5a,mixed5b}.png
}
moods() {
    local mood
    for mood in creatures architecture shells garden jungle clockwork engraving painterly subtle neon; do
        dream coffee "$work/$mood.png" --max-size 480 --recipe $mood
    done
    row "$out/moods.jpg" "$work"/{creatures,architecture,shells,garden,jungle}.png
    row "$out/moods-2.jpg" "$work"/{clockwork,engraving,painterly,subtle,neon}.png
}
strengths() {
    local strength
    for strength in subtle normal wild; do
        dream astronaut "$work/$strength.png" --max-size 400 --strength $strength
    done
    dream astronaut "$work/wild, blend 0.4.png" --max-size 400 --strength wild --blend 0.4
    row "$out/strengths.jpg" "$work"/{subtle,normal,wild,'wild, blend 0.4'}.png
}
colours() { # by photograph: free, the default, natural, keep
    local photo color
    for photo in chelsea coffee hubble; do
        for color in 0 0.2 0.4 0.5 1; do
            dream $photo "$work/$photo, $color.png" --max-size 400 --color $color
        done
        row "$out/colours.$photo.jpg" "$photos/$photo.jpg" "$work/$photo, "{0,0.2,0.4,0.5,1}.png
    done
}
guides() {
    local guide
    for guide in chelsea hubble; do
        dream coffee "$work/by $guide.png" --max-size 400 --guide $photos/$guide.jpg
    done
    row "$out/guides.jpg" $photos/coffee.jpg $photos/chelsea.jpg "$work/by chelsea.png" $photos/hubble.jpg "$work/by hubble.png"
}
gallery() {
    local photo
    for photo in chelsea rocket coffee astronaut hubble; do
        dream $photo "$out/$photo.pocket.jpg" --max-size 448
        dream $photo "$out/$photo.pocket.mixed3b.jpg" --max-size 448 --layers mixed3b
        dream $photo "$out/$photo.inception5h.jpg" --max-size 448 "${five[@]}"
        dream $photo "$out/$photo.inception_v3.jpg" --max-size 448 "${three[@]}"
    done
    "$bin" dream --size 448x336 -o "$out/clouds.pocket.jpg" --overwrite --quiet
    "$bin" dream --size 448x336 -o "$out/clouds.pocket.mixed3b.jpg" --overwrite --quiet --layers mixed3b
    "$bin" dream --size 448x336 -o "$out/clouds.inception5h.jpg" --overwrite --quiet "${five[@]}"
    "$bin" dream --size 448x336 -o "$out/clouds.inception_v3.jpg" --overwrite --quiet "${three[@]}"
}
variants() {
    "$bin" variants $photos/coffee.jpg -o "$out/variants.jpg" --overwrite --quiet >/dev/null
}
classes() {
    local name
    for name in castle "king penguin" "sea anemone"; do
        dream rocket "$work/$name.png" --max-size 400 --class "$name" --steps 25
    done
    row "$out/classes.jpg" "$work"/{castle,'king penguin','sea anemone'}.png
}
channels() {
    local term
    for term in mixed4:12 mixed4:100 mixed4:427 mixed5:9 mixed5@6x4 mixed4:100,mixed5=-0.5; do
        dream chelsea "$work/$term.png" --max-size 400 "${three[@]}" --layers $term
    done
    row "$out/channels.jpg" "$work"/mixed4:{12,100,427}.png
    row "$out/channels-2.jpg" "$work"/{mixed5:9,mixed5@6x4}.png "$work/mixed4:100,mixed5=-0.5.png"
}
smoothing() {
    local options
    for options in "smooth none" "smooth gaussian" "smooth laplacian" "tv 0.1" "tv 0.5" "l2 4"; do
        dream chelsea "$work/$options.png" --max-size 400 --$options
    done
    row "$out/smoothing.jpg" "$work"/{"smooth none","smooth gaussian","smooth laplacian","tv 0.1","tv 0.5","l2 4"}.png
}
half_masks() { # white that fades in from the left, and from the right
    .venv/bin/python - "$work" <<'END'
import sys
from pathlib import Path

import numpy as np
from PIL import Image

folder = Path(sys.argv[1])
ramp = np.tile(np.linspace(0, 255, 512).astype(np.uint8), (512, 1))
Image.fromarray(ramp).save(folder / "right.png")
Image.fromarray(255 - ramp).save(folder / "left.png")
END
}
masks() { # an ellipse around the face, and both halves
    .venv/bin/python - "$work/mask.png" <<'END'
import sys

from PIL import Image, ImageDraw

mask = Image.new("L", (512, 512), 255)
ImageDraw.Draw(mask).ellipse((130, 10, 330, 250), fill=0)
mask.save(sys.argv[1])
END
    half_masks
    dream astronaut "$work/mask mask.png" --max-size 400 --mask "$work/mask.png"
    dream astronaut "$work/mask right.png" --max-size 400 --mask "$work/right.png"
    printf '[[layers]]\nlayer = "mixed3a"\nmask = "left.png"\n[[layers]]\nlayer = "mixed4d"\nmask = "right.png"\n' \
        >"$work/two.toml"
    dream astronaut "$work/two masks.png" --max-size 400 --recipe "$work/two.toml"
    row "$out/masks.jpg" $photos/astronaut.jpg "$work/mask.png" "$work/mask mask.png" "$work/mask right.png" \
        "$work/two masks.png"
}
several() { # two networks, and both
    dream coffee "$work/inception5h.png" --max-size 400 "${five[@]}"
    dream coffee "$work/inception_v3.png" --max-size 400 "${three[@]}"
    dream coffee "$work/both.png" --max-size 400 --model inception5h --model inception_v3 \
        ${INCEPTION5H:+--weights "inception5h=$INCEPTION5H"} ${INCEPTION_V3:+--weights "inception_v3=$INCEPTION_V3"}
    row "$out/several.jpg" "$work"/{inception5h,inception_v3,both}.png
}
published() { # the published loops, each at Inception v3's default layer
    local name
    for name in default google-2015 hughy-2020 keras-example lapnorm smooth tf-tutorial lucid; do
        dream coffee "$work/$name.png" --max-size 400 --recipe $name "${three[@]}"
    done
    row "$out/recipes.jpg" "$work"/{default,google-2015,hughy-2020,keras-example}.png
    row "$out/recipes-2.jpg" "$work"/{lapnorm,smooth,tf-tutorial,lucid}.png
}
concepts() { # of the library: on a coffee, all of them, out of nothing, under masks and along a zoom
    local photo name
    for name in butterflies buildings dogs mushrooms boats; do
        dream coffee "$work/$name.png" --max-size 480 --concept $name
    done
    row "$out/concepts.jpg" "$work"/{butterflies,buildings,dogs,mushrooms,boats}.png
    for photo in rocket coffee; do
        "$bin" concepts $photos/$photo.jpg --cell 320 -o "$work/$photo.png" --quiet >/dev/null
        jpeg "$work/$photo.png" "$out/concept-library.$photo.jpg" 1600
    done
    "$bin" concept show cats $photos/{chelsea,coffee,astronaut}.jpg -o "$work/show.png" --quiet
    jpeg "$work/show.png" "$out/concept-show.jpg" 1600
    half_masks
    printf '[[layers]]\nconcept = "butterflies"\nmask = "left.png"\n[[layers]]\nconcept = "towers"\nmask = "right.png"\n' \
        >"$work/both.toml"
    dream astronaut "$work/butterflies and towers.png" --max-size 480 --recipe "$work/both.toml"
    row "$out/concept-masks.jpg" $photos/astronaut.jpg "$work"/{left,right,"butterflies and towers"}.png
    printf '[[timeline]]\nat = 0.0\nlayers = [{ concept = "butterflies" }]\n' >"$work/journey.toml"
    printf '[[timeline]]\nat = 1.0\nlayers = [{ concept = "buildings" }]\n' >>"$work/journey.toml"
    "$bin" zoom $photos/rocket.jpg --recipe "$work/journey.toml" --frames 48 --fps 12 --max-size 240 \
        -o "$out/concept-zoom.webp" --overwrite --quiet
}
timeline() { # frames of the example in docs/films.md
    local frame
    sed -n '/^# journey.toml$/,/^```$/p' docs/films.md | sed '$d' >"$work/journey.toml"
    "$bin" zoom $photos/chelsea.jpg --recipe "$work/journey.toml" --frames 36 --max-size 256 -o "$work/journey" --quiet
    for frame in 00 10 14 24 35; do
        cp "$work/journey/0000$frame.png" "$work/frame $frame.png"
    done
    row "$out/timeline.jpg" "$work/frame "{00,10,14,24,35}.png
}
beat() { # frames around three beats of the example in docs/films.md, with how far each differs from the last
    .venv/bin/python scripts/drums.py "$work/drums.wav"
    "$bin" zoom $photos/chelsea.jpg -o "$work/beat" --sound "$work/drums.wav" --frames 60 --fps 12 --max-size 256 \
        --zoom 1.005 --strength 0.1 --listen strength=beat:1.5 --listen zoom=bass:1.08 --quiet
    .venv/bin/python - "$work/beat" "$work/beat.png" <<'END'
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

folder, result = sys.argv[1:]
frames = [np.asarray(Image.open(path), float) for path in sorted(Path(folder).glob("*.png"))]
height, width = frames[0].shape[:2]
bar = 56
sheet = Image.new("RGB", (6 * width, 3 * (height + bar)), "white")
draw = ImageDraw.Draw(sheet)
for row, first in enumerate((4, 22, 40)):
    for column in range(6):
        number = first + column
        left, top = column * width, row * (height + bar)
        sheet.paste(Image.fromarray(np.uint8(frames[number])), (left, top))
        changed = 1.8 * np.abs(frames[number] - frames[number - 1]).mean()
        colour = "crimson" if number % 6 == 0 else "grey"
        base = top + height + bar - 2
        draw.rectangle((left + 8, base - min(changed, bar - 4), left + width - 8, base), colour)
sheet.save(result)
END
    jpeg "$work/beat.png" "$out/zoom-beat.jpg" 960
}
guided() { # a film whose guide is a film, too: rows of frames, guides and dreams
    .venv/bin/python - "$work/clip" "$work/guide" <<'END'
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, "tests")
import synthetic_clip

COUNT, SIZE = 24, (192, 256)
clip, guide = map(Path, sys.argv[1:])
ends = [
    np.asarray(Image.open(synthetic_clip.PICTURES / name).convert("RGB").resize(SIZE[::-1]), float)
    for name in ("coffee.jpg", "hubble.jpg")
]
for folder in (clip, guide):
    folder.mkdir()
for number, frame in enumerate(synthetic_clip.clip(COUNT, SIZE, "pan")):
    share = number / (COUNT - 1)
    Image.fromarray(frame.pixels).save(clip / f"{number:04}.png")
    Image.fromarray(np.uint8((1 - share) * ends[0] + share * ends[1])).save(guide / f"{number:04}.png")
END
    "$bin" film "$work/clip" -o "$work/guided" --guide "$work/guide" --quiet
    .venv/bin/python - "$work/clip" "$work/guide" "$work/guided" "$work/guided.png" <<'END'
import sys
from pathlib import Path

from PIL import Image

*folders, result = sys.argv[1:]
rows = [[Image.open(path) for path in sorted(Path(folder).glob("*.png"))[3::5]] for folder in folders]
width, height = rows[0][0].size
sheet = Image.new("RGB", (len(rows[0]) * width, len(rows) * height))
for row, pictures in enumerate(rows):
    for column, picture in enumerate(pictures):
        sheet.paste(picture, (column * width, row * height))
sheet.save(result)
END
    jpeg "$work/guided.png" "$out/film-guided.jpg" 960
}
sheet() {
    "$bin" sheet $photos/chelsea.jpg -l mixed3a,mixed3b,mixed4a,mixed4b,mixed4c,mixed4d,mixed4e,mixed5a,mixed5b \
        --columns 5 -o "$work/sheet" --quiet
    jpeg "$work/sheet/sheet.png" "$out/sheet.jpg"
}
features() { # what channels like
    local channel
    for channel in 0 277 448; do
        "$bin" dream --recipe lucid -l mixed4c:$channel --size 224 -o "$work/pocket $channel.png" --quiet
        "$bin" dream --recipe lucid "${five[@]}" -l mixed4c:$channel --size 224 -o "$work/inception5h $channel.png" --quiet
    done
    row "$out/features.jpg" "$work/pocket "{0,277,448}.png "$work/inception5h "{0,277,448}.png
}
page() { # the page with the rocket before and after, then under the brush; needs `make web`, Playwright and Chromium
    "$bin" export web -o "$work/site" --quiet
    .venv/bin/python - "$work/site" "$work/page.png" "$work/page-brush.png" <<'END'
import shutil
import sys
from pathlib import Path
from threading import Thread

from playwright.sync_api import sync_playwright

from dreamkit.web.server import Server

site, compared, painted = sys.argv[1:]
STROKES = {
    "concept butterflies": [(0.12, 0.2), (0.3, 0.12), (0.4, 0.3)],
    "concept birds": [(0.62, 0.3), (0.72, 0.12), (0.92, 0.22)],
}


with Server(Path(site), 0) as server, sync_playwright() as playwright:
    Thread(target=server.serve_forever, daemon=True).start()
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(600_000)
    page.goto(server.address)
    page.wait_for_selector("body[data-activity=idle]")
    page.set_input_files("#file", "docs/pictures/rocket.jpg")
    page.click("#dream:enabled")
    page.wait_for_selector("body[data-activity=idle][data-dreams='1']")
    page.click("#history button:last-child")  # the status is then not the time that this machine took
    page.fill("#compare", "50")
    page.wait_for_function("() => [...document.querySelectorAll('#concepts button:nth-child(-n+8), #layers button')]"
                           ".every((each) => each.dataset.thumbnail)")
    page.screenshot(path=compared)

    page.click("#history button:first-child")  # the photograph
    page.click("#brush")
    page.fill("#radius", "90")
    box = page.locator("#frame").bounding_box()
    for number, (concept, points) in enumerate(STROKES.items(), 1):  # the dream is forgotten
        page.click(f'#palette button[data-term="{concept}"]')
        places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=20)
        page.mouse.up()
        page.wait_for_selector(f"body[data-activity=idle][data-dreams='{number}']")
    page.screenshot(path=painted)
    browser.close()
    server.shutdown()
END
    jpeg "$work/page.png" "$out/page.jpg" 1040
    jpeg "$work/page-brush.png" "$out/page-brush.jpg" 1040
}
zoo() { # networks converted beforehand, by the names in docs/zoo.md
    local name
    for name in faces squeezenet places; do
        dream astronaut "$out/zoo.$name.jpg" --max-size 448 --model $name
    done
    dream astronaut "$out/zoo.writing.jpg" --max-size 448 --model writing --layers p2o.Mul.139 --strength wild
}

for name in "${@:-first layers moods strengths colours guides gallery variants classes channels smoothing masks several published concepts timeline beat guided sheet features}"; do
    for each in $name; do "$each"; done
done
