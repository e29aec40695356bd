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
    for mood in creatures architecture shells clockwork engraving painterly subtle neon; do
        dream coffee "$work/$mood.png" --max-size 480 --recipe $mood
    done
    row "$out/moods.jpg" "$work"/{creatures,architecture,shells,clockwork}.png
    row "$out/moods-2.jpg" "$work"/{engraving,painterly,subtle,neon}.png
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

for name in "${@:-first layers moods strengths colours guides gallery variants classes}"; do
    for each in $name; do "$each"; done
done
