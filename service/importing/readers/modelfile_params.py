"""The types that Ollama gives to the parameters of a modelfile."""

import math
import re
from typing import Any

# The only parameter that is a list of texts; each instruction adds one.
STOP = "stop"
_WHOLE_NUMBERS = (
    *("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "num_gqa", "num_keep", "num_predict", "seed"),
    *("top_k", "repeat_last_n", "mirostat", "draft_num_predict"),
)
_NUMBERS = (
    *("temperature", "top_p", "min_p", "tfs_z", "typical_p", "repeat_penalty", "presence_penalty"),
    *("frequency_penalty", "mirostat_tau", "mirostat_eta", "rope_frequency_base", "rope_frequency_scale"),
)
_FLAGS = (
    *("penalize_newline", "numa", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mmap", "use_mlock"),
    "embedding_only",
)

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][+-]?[0-9]{1,3})?")
_FLAG_WORDS = {"true": True, "false": False}
_FLAG_LETTERS = {**_FLAG_WORDS, "1": True, "t": True, "0": False, "f": False}
_COMMENT = re.compile(r"[ \t]#")


def typed_parameter(name: str, value: str) -> tuple[str, Any]:
    """Return the name of a parameter as Ollama writes it, and its value with the type that it has there.

    A parameter that is not known gets the type that its value looks like. A number or a flag may have a comment behind
    it; what is neither stays the text that it is.
    """
    known = name.lower()
    comment = _COMMENT.search(value)
    written = value[: comment.start()].strip() if comment else value.strip()
    if known in _FLAGS:
        return known, _FLAG_LETTERS.get(written.lower(), value)
    number = _number(written)
    if known in _WHOLE_NUMBERS:
        whole = isinstance(number, float) and number.is_integer() and abs(number) < 2**53
        return known, value if number is None else int(number) if whole else number
    if known in _NUMBERS:
        return known, value if number is None else float(number)
    return name, _FLAG_WORDS.get(written.lower(), value) if number is None else number


def _number(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    return number if _DECIMAL.fullmatch(text) and math.isfinite(number := float(text)) else None
