"""Trains the tiny contrastive pair of `tests/data/tiny_clip`: a network of pictures and one of texts.

    python scripts/train_tiny_clip.py --folder build/tiny_clip

It needs PyTorch, onnxscript, tokenizers and onnx. Pictures of 64 x 64 pixels show one coloured shape on a
gradient, on clouds, on stripes or on noise; captions are such as "a red
circle" or "the small blue star on the left". The picture network is a vision transformer (a token for
each 8 x 8 pixels, a class token, 3 blocks of 48 numbers), the text network a causal transformer of 2
blocks that is read at the largest id, the end of the text: both as in CLIP (Radford et al. 2021), and so is
the loss, but a caption counts for every picture of the batch that it describes.

The folder gets `image.onnx` (RGB, `pixel / 127.5 - 1`), `text.onnx` (ids, `(1, 12)`) and `tokenizer.json`.
No file holds a path. Seeds are fixed; how far the training gets depends on the machine. The pair of the tests
had 1715 steps in 11 minutes of a busy core: of 2048 new pictures, 83.4% score highest with their own one of
24 captions "a COLOUR SHAPE"; by chance it would be 4.2%.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from pathlib import Path
from typing import Annotated, TypeAlias

import onnx
import tokenizers
import torch
import typer
from torch import nn
from torch.nn import functional

SIDE, PATCH, WIDTH, HEADS, LENGTH = 64, 8, 48, 4, 12
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (45, 80, 220),
    "yellow": (235, 215, 50),
    "purple": (150, 50, 190),
    "orange": (240, 140, 30),
}
SHAPES = ("circle", "square", "triangle", "star")
PLACES = ("left", "right", "top", "bottom", "middle")
SIZES = ("small", "large")
WORDS = ("a", "the", "picture", "of", "on", "in", "shape", *COLOURS, *SHAPES, *PLACES, *SIZES)
POOL, REFRESHED = 60, 3  # batches that are kept, and steps after which one of them is replaced
ANY = -1  # in a caption's attributes: it says nothing about this one

_Facts: TypeAlias = "torch.Tensor"  # (n, 4): numbers of colour, shape, place and size

app = typer.Typer(add_completion=False)


def distance(shape: int, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The signed distance of points from the edge of a shape of radius one, about; negative inside."""
    radius = torch.hypot(x, y)
    angle = torch.atan2(y, x)
    match SHAPES[shape]:
        case "circle":
            return radius - 1
        case "square":
            return torch.maximum(x.abs(), y.abs()) - 0.85
        case "triangle":
            turned = torch.remainder(angle + math.pi / 2 + math.pi / 3, 2 * math.pi / 3) - math.pi / 3
            return radius * torch.cos(turned) - 0.6
        case _:
            turned = torch.remainder(angle + math.pi / 2 + math.pi / 5, 2 * math.pi / 5) - math.pi / 5
            return radius - (0.45 + 0.7 * (1 - turned.abs() / (math.pi / 5)))


class Pictures:
    """Random pictures and what is in them."""

    def __init__(self, seed: int) -> None:
        self._random = torch.Generator().manual_seed(seed)
        axis = (torch.arange(SIDE) + 0.5) / SIDE
        self._y, self._x = torch.meshgrid(axis, axis, indexing="ij")
        self._palette = torch.tensor(list(COLOURS.values())) / 255

    def _uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        return low + (high - low) * torch.rand(shape, generator=self._random)

    def _whole(self, count: int, below: int) -> torch.Tensor:
        return torch.randint(below, (count,), generator=self._random)

    def _backgrounds(self, count: int) -> torch.Tensor:
        """(n, 3, height, width): gradients, clouds, stripes and noise, alone and mixed."""
        first, second = (self._uniform(count, 3, 1, 1) for _ in range(2))
        angle = self._uniform(count, 1, 1, high=2 * math.pi)
        along = self._x * torch.cos(angle) + self._y * torch.sin(angle)
        waves = 0.5 + 0.5 * torch.sin(along * self._uniform(count, 1, 1, low=10, high=60))
        mixed = torch.where(self._uniform(count, 1, 1) < 0.3, waves, along.clamp(0, 1))[:, None]
        found = first + (second - first) * mixed
        for side, high in ((4, 0.5), (16, 0.3), (SIDE, 0.25)):
            clouds = torch.randn((count, 3, side, side), generator=self._random)
            strength = self._uniform(count, 1, 1, 1, high=high) * (self._uniform(count, 1, 1, 1) < 0.5)
            found = found + strength * functional.interpolate(clouds, (SIDE, SIDE), mode="bilinear")
        grey = self._uniform(count, 1, 1, 1) < 0.3
        return torch.where(grey, found.mean(1, keepdim=True), found).clamp(0, 1)

    def _place(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The number of the place in `PLACES` of centres from 0 to 1."""
        far = torch.stack([0.5 - x, x - 0.5, 0.5 - y, y - 0.5], 1)
        return torch.where(far.amax(1) < 0.12, len(PLACES) - 1, far.argmax(1))

    def _draw(self, pictures: torch.Tensor, facts: _Facts, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Draws one shape into each picture."""
        count = len(pictures)
        radius = torch.where(
            facts[:, 3] == 0,
            self._uniform(count, low=0.14, high=0.19),
            self._uniform(count, low=0.24, high=0.36),
        )
        turn = self._uniform(count, 1, 1, low=-0.35, high=0.35)
        across, down = self._x - x[:, None, None], self._y - y[:, None, None]
        u = (across * torch.cos(turn) + down * torch.sin(turn)) / radius[:, None, None]
        v = (down * torch.cos(turn) - across * torch.sin(turn)) / radius[:, None, None]
        far = torch.empty_like(u)
        for shape in range(len(SHAPES)):
            rows = facts[:, 1] == shape
            far[rows] = distance(shape, u[rows], v[rows])
        far = far * radius[:, None, None] * SIDE
        covered = (0.5 - far).clamp(0, 1)[:, None]
        colour = self._palette[facts[:, 0]][:, :, None, None]
        colour = colour * self._uniform(count, 1, 1, 1, low=0.75, high=1.15)
        colour = colour + self._uniform(count, 3, 1, 1, low=-0.06, high=0.06)
        shade = self._uniform(count, 1, 1, 1, high=0.25) * (v - 0.3)[:, None]
        return pictures + covered * ((colour - shade).clamp(0, 1) - pictures)

    def batch(self, count: int) -> tuple[torch.Tensor, _Facts]:
        """Pictures `(n, 3, height, width)` from -1 to 1, and their facts."""
        pictures = self._backgrounds(count)
        facts = torch.stack(
            [
                self._whole(count, len(COLOURS)),
                self._whole(count, len(SHAPES)),
                torch.zeros(count, dtype=torch.int64),
                self._whole(count, len(SIZES)),
            ],
            1,
        )
        x, y = self._uniform(count, low=0.22, high=0.78), self._uniform(count, low=0.22, high=0.78)
        facts[:, 2] = self._place(x, y)
        pictures = self._draw(pictures, facts, x, y)
        noise = torch.randn(pictures.shape, generator=self._random)
        pictures = pictures + self._uniform(count, 1, 1, 1, high=0.08) * noise
        return (pictures.clamp(0, 1) * 2 - 1), facts

    def captions(self, facts: _Facts) -> tuple[list[str], _Facts]:
        """A caption for each picture, and the facts that it tells."""
        texts, told = [], facts.clone()
        for row, (colour, shape, place, size) in enumerate(facts.tolist()):
            drop = self._uniform(4).tolist()
            words = ["the" if drop[2] < 0.2 else "a"]
            if drop[3] < 0.8:
                told[row, 3] = ANY
            else:
                words.append(SIZES[size])
            if drop[0] < 0.4:  # a colour is easy to see, so the shape must often do without
                told[row, 0] = ANY
            else:
                words.append(list(COLOURS)[colour])
            if drop[0] > 0.92:
                told[row, 1] = ANY
                words.append("shape")
            else:
                words.append(SHAPES[shape])
            if drop[2] < 0.8:
                told[row, 2] = ANY
            else:
                words += ["in" if PLACES[place] == "middle" else "on", "the", PLACES[place]]
            if drop[1] < 0.15:
                words = ["a", "picture", "of", *words]
            texts.append(" ".join(words))
        return texts, told


def tokenizer() -> tokenizers.Tokenizer:
    """Words as ids; 0 pads, and the largest id ends a text."""
    names = ["<pad>", "<unknown>", *WORDS, "<start>", "<end>"]
    ids = {name: number for number, name in enumerate(names)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, unk_token="<unknown>"))
    made.normalizer = tokenizers.normalizers.Lowercase()
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[(name, ids[name]) for name in ("<start>", "<end>")]
    )
    made.enable_padding(length=LENGTH, pad_id=0, pad_token="<pad>")
    return made


class Block(nn.Module):  # type: ignore[misc]
    """A transformer's block, normalised before each part."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        n, tokens, width = x.shape
        parts = self.qkv(self.norm1(x)).reshape(n, tokens, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        query, key, value = parts[0], parts[1], parts[2]
        scores = query @ key.transpose(-1, -2) * (width // HEADS) ** -0.5
        if mask is not None:
            scores = scores + mask
        mixed = (torch.softmax(scores, -1) @ value).permute(0, 2, 1, 3).reshape(n, tokens, width)
        x = x + self.out(mixed)
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class ImageTower(nn.Module):  # type: ignore[misc]
    """Pictures `(n, 3, 64, 64)`, -1 to 1, to embeddings `(n, 48)`."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        # Convolutions in place of one of 8 x 8 pixels: training is many times faster (Xiao et al. 2021).
        self.patches = nn.Sequential(
            nn.Conv2d(3, WIDTH // 4, 3, 2, 1),
            nn.GELU(),
            nn.Conv2d(WIDTH // 4, WIDTH // 2, 3, 2, 1),
            nn.GELU(),
            nn.Conv2d(WIDTH // 2, WIDTH, 3, 2, 1),
        )
        self.start = nn.Parameter(torch.randn(1, 1, WIDTH) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, (SIDE // PATCH) ** 2 + 1, WIDTH) * 0.02)
        self.blocks = nn.ModuleList(Block(WIDTH) for _ in range(depth))
        self.norm = nn.LayerNorm(WIDTH)
        self.embedding = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(pictures).flatten(2).transpose(1, 2)
        x = torch.cat([self.start.expand(len(tokens), 1, WIDTH), tokens], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.embedding(self.norm(x)[:, 0])


class TextTower(nn.Module):  # type: ignore[misc]
    """Ids `(n, 12)` to embeddings `(n, 48)`."""

    def __init__(self, words: int, depth: int = 2) -> None:
        super().__init__()
        self.words = nn.Embedding(words, WIDTH)
        self.positions = nn.Parameter(torch.randn(1, LENGTH, WIDTH) * 0.02)
        self.blocks = nn.ModuleList(Block(WIDTH) for _ in range(depth))
        self.norm = nn.LayerNorm(WIDTH)
        self.embedding = nn.Linear(WIDTH, WIDTH, bias=False)
        self.register_buffer("mask", torch.full((LENGTH, LENGTH), -1e4).triu(1), persistent=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.words(ids) + self.positions
        for block in self.blocks:
            x = block(x, self.mask)
        at_end = ids.argmax(1)[:, None, None].expand(-1, 1, WIDTH)
        return self.embedding(self.norm(torch.gather(x, 1, at_end)[:, 0]))


def agreement(told: _Facts, facts: _Facts) -> torch.Tensor:
    """(pictures, captions): one where a caption tells nothing else than what is in a picture, else 0."""
    same = (told[None] == facts[:, None]) | (told[None] == ANY)
    return same.all(-1).float()


def loss_of(scores: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of both directions, shared among all captions or pictures that match."""
    by_picture = -(matches / matches.sum(1, keepdim=True) * scores.log_softmax(1)).sum(1).mean()
    by_text = -(matches / matches.sum(0, keepdim=True) * scores.log_softmax(0)).sum(0).mean()
    return (by_picture + by_text) / 2


def encoded(made: tokenizers.Tokenizer, texts: list[str]) -> torch.Tensor:
    return torch.tensor([each.ids for each in made.encode_batch(texts)])


@torch.no_grad()  # type: ignore[untyped-decorator]
def accuracy(image: nn.Module, text: nn.Module, made: tokenizers.Tokenizer, count: int = 2048) -> float:
    """The share of new pictures whose own one of the 24 captions "a COLOUR SHAPE" scores highest."""
    pictures, facts = Pictures(seed=2**31).batch(count)
    texts = [f"a {colour} {shape}" for colour, shape in itertools.product(COLOURS, SHAPES)]
    embeddings = functional.normalize(text(encoded(made, texts)))
    scores = functional.normalize(image(pictures)) @ embeddings.T
    found = scores.argmax(1) == facts[:, 0] * len(SHAPES) + facts[:, 1]
    return float(found.float().mean())


def export(module: nn.Module, given: torch.Tensor, names: tuple[str, str], file: Path) -> None:
    """Writes a tower as ONNX, without the exporter's notes of this machine's files."""
    program = torch.onnx.export(
        module.eval(), (given,), dynamo=True, input_names=[names[0]], output_names=[names[1]], verbose=False
    )
    model = program.model_proto
    for holder in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        kept = [
            each for each in holder.metadata_props if each.key.endswith(("name_scopes", "class_hierarchy"))
        ]
        notes = [(each.key, each.value.replace("__main__.", "")) for each in kept]
        del holder.metadata_props[:]
        for key, value in notes:
            holder.metadata_props.add(key=key, value=value)
        holder.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    file.write_bytes(model.SerializeToString())


@app.command()
def main(
    folder: Annotated[Path, typer.Option(help="for the three files")] = Path("build/tiny_clip"),
    minutes: Annotated[float, typer.Option(help="of training")] = 11.0,
    batch: int = 128,
    seed: int = 0,
) -> None:
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # more threads wait for each other where other programs run
    folder.mkdir(parents=True, exist_ok=True)
    made, source = tokenizer(), Pictures(seed)
    image, text = ImageTower(), TextTower(made.get_vocab_size())
    scale = nn.Parameter(torch.tensor(math.log(14.0)))
    decayed = [each for module in (image, text) for each in module.parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.02}, {"params": [scale], "weight_decay": 0}], lr=2e-3
    )
    pool: list[tuple[torch.Tensor, _Facts]] = []
    started, step, kept = time.monotonic(), 0, 0.0
    while (done := (time.monotonic() - started) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = (
                2e-3 * min(1, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
            )
        if len(pool) < POOL or step % REFRESHED == 0:  # making pictures takes as long as learning from them
            pool = [*pool[-POOL + 1 :], source.batch(batch)]
        pictures, facts = pool[step % len(pool)]
        texts, told = source.captions(facts)
        scores = functional.normalize(image(pictures)) @ functional.normalize(text(encoded(made, texts))).T
        loss = loss_of(scale.exp().clamp(max=50) * scores, agreement(told, facts))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(decayed, 1.0)
        optimizer.step()
        step += 1
        kept = 0.98 * kept + 0.02 * loss.item()
        if step % 100 == 0:
            print(
                f"{step} steps, {time.monotonic() - started:.0f} s: loss {kept / (1 - 0.98**step):.3f}, "
                f"scale {scale.exp():.1f}",
                flush=True,
            )
            if step % 1000 == 0:
                print(f"  zero-shot {accuracy(image, text, made):.3f}", flush=True)
    found = accuracy(image, text, made)
    print(f"{step} steps: zero-shot accuracy among {len(COLOURS) * len(SHAPES)} captions {found:.3f}")
    torch.save({"image": image.state_dict(), "text": text.state_dict()}, folder / "pair.pt")
    export(image, torch.zeros(1, 3, SIDE, SIDE), ("pictures", "image_embedding"), folder / "image.onnx")
    export(text, encoded(made, ["a red circle"]), ("ids", "text_embedding"), folder / "text.onnx")
    (folder / "tokenizer.json").write_text(json.dumps(json.loads(made.to_str()), indent=1) + "\n")


if __name__ == "__main__":
    app()
