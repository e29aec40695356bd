"""The text tower of a converted model: an ONNX file and a tokenizer, which turn a text into an embedding.

Both lie in the model's folder and are data: ONNX Runtime computes the one, the library `tokenizers` reads
the other.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.errors import DreamkitWarning, ModelError, first_line, shown
from dreamkit.installation import extra_command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER, TOWER, TOKENIZER = "text", "tower.onnx", "tokenizer.json"


@dataclass(frozen=True, kw_only=True)
class TextInputs:
    """What a text tower takes and gives.

    Attributes:
        ids: the input of token numbers, `(1, tokens)`.
        type: of its numbers, `int32` or `int64`.
        length: how many tokens it takes; None for any number.
        mask: the input that is 1 for each token of the text and 0 for padding; empty for none.
        output: the embedding, `(1, channels)`.
    """

    ids: str
    type: str
    output: str
    length: int | None = None
    mask: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for the record."""
        return asdict(self)


def check_installed() -> None:
    """Names the packages that texts need and that are not installed.

    Raises:
        ModelError: one is not installed.
    """
    missing = [module for module in ("tokenizers", "onnxruntime") if find_spec(module) is None]
    if missing:
        raise ModelError(
            f"texts need {' and '.join(missing)}, which is not installed; run: {extra_command('text')}"
        )


class TextEncoder:
    """A text tower that is loaded, with its tokenizer."""

    def __init__(self, folder: Path) -> None:
        """Loads the files in `folder`.

        Raises:
            ModelError: they cannot be read.
        """
        check_installed()
        import onnxruntime
        import tokenizers

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what it says is in the error
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:  # the library raises plain Exception
            raise ModelError(f"cannot read {TOKENIZER} ({shown(first_line(error), 200)})") from error
        try:
            self.session = onnxruntime.InferenceSession(
                str(folder / TOWER), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no common base
            raise ModelError(f"cannot read the text tower ({shown(first_line(error), 200)})") from error
        padding, truncation = self._tokenizer.padding or {}, self._tokenizer.truncation or {}
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._padding: Mapping[str, Any] = padding
        self._most: int | None = truncation.get("max_length")

    @property
    def words(self) -> int:
        """How many tokens the tokenizer knows."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def embedding(self, text: str, inputs: TextInputs) -> NDArray[np.float32]:
        """The embedding of a text, `(channels,)`, of length one.

        Raises:
            ModelError: the text has more tokens than the tower takes, or the tower cannot compute it.
        """
        import numpy as np

        values = self.values(self._tokens(text, inputs), inputs)[inputs.output].reshape(-1)
        size = float(np.linalg.norm(values.astype(np.float64)))
        if not np.isfinite(size) or not size:
            raise ModelError(f"the text tower returned no finite numbers for {shown(text)!r}")
        return np.asarray(values / size, np.float32)

    def values(self, tokens: tuple[list[int], list[int]], inputs: TextInputs) -> dict[str, NDArray[Any]]:
        """What the tower computes from token numbers and their mask, by output.

        Raises:
            ModelError: it fails.
        """
        import numpy as np

        ids, mask = (np.asarray([each], inputs.type) for each in tokens)
        feeds = {inputs.ids: ids, **({inputs.mask: mask} if inputs.mask else {})}
        types = {each.name: each.type for each in self.session.get_inputs()}
        feeds = {name: _as_type(each, types[name]) for name, each in feeds.items()}
        names = [each.name for each in self.session.get_outputs()]
        try:
            return dict(zip(names, self.session.run(names, feeds), strict=True))
        except Exception as error:  # its errors have no common base
            raise ModelError(
                f"the text tower cannot compute a text of {len(tokens[0])} tokens "
                f"({shown(first_line(error), 200)}); give a shorter text"
            ) from error

    def _tokens(self, text: str, inputs: TextInputs) -> tuple[list[int], list[int]]:
        """The numbers of a text's tokens, padded, and 1 for each that is no padding.

        Without padding of the tokenizer's own, the text's last token is repeated. That is the end of a text,
        which CLIP's towers find at its first place, and what those of SigLIP are padded with.
        """
        found = self._tokenizer.encode(text)
        ids = list(found.ids)
        most = min((each for each in (inputs.length, self._most) if each), default=None)
        if not ids:
            raise ModelError(f"the tokenizer finds no word in {shown(text)!r}; give another text")
        if most is not None and len(ids) > most:
            raise ModelError(
                f"the text {shown(text)!r} has {len(ids)} tokens, and the text tower takes {most}; shorten it"
            )
        self._warn_of_unknown(text, found)
        length = inputs.length or max(len(ids), self._padding.get("length") or 0)
        rest = length - len(ids)
        padding, mask = [self._padding.get("pad_id", ids[-1])] * rest, [1] * len(ids)
        if self._padding.get("direction") == "left":
            return padding + ids, [0] * rest + mask
        return ids + padding, mask + [0] * rest

    def _warn_of_unknown(self, text: str, found: Any) -> None:
        """Warns of words that the tokenizer does not know."""
        unknown = getattr(self._tokenizer.model, "unk_token", None)
        words = [
            text[start:end]
            for token, special, (start, end) in zip(
                found.tokens, found.special_tokens_mask, found.offsets, strict=True
            )
            if token == unknown and not special
        ]
        if words:
            warnings.warn(
                f"the text tower does not know {shown(', '.join(words), 200)}, which means nothing to it",
                DreamkitWarning,
                stacklevel=2,
            )


def _as_type(values: NDArray[Any], kind: str) -> NDArray[Any]:
    import numpy as np

    types = {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
    return values.astype(types.get(kind, np.float32))
