"""Reading a JSON or YAML file as a whole, for formats whose records can be anywhere in it."""

import json

from service.importing.json_scanner import DECODER, Tally
from service.importing.parts import JsonPart, Part
from service.importing.source import UNREADABLE, Source, SourceError
from service.importing.yaml_file import yaml_documents

# Such a file is in memory as a whole.
MAX_CHARACTERS = 1 << 24


def whole_text(source: Source) -> str:
    """Return the text of a file; raise SourceError when it is no text or too long to be held as a whole."""
    try:
        with source.text() as file:
            text = file.read(MAX_CHARACTERS + 1)
    except UNREADABLE as error:
        # The message of a decoding error quotes what it could not decode.
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise SourceError(f"can't be read: {reason}") from None
    if len(text) > MAX_CHARACTERS:
        raise SourceError(f"has more than {MAX_CHARACTERS:,} characters, too many for a file that is read as a whole")
    return text


def read_parts(source: Source) -> list[Part]:
    """Return the documents of a JSON or YAML file; raise SourceError when it is neither, or exceeds its bounds."""
    text = whole_text(source)
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = DECODER.decode(text)
        except json.JSONDecodeError as error:
            # YAML allows braces too.
            problem = f"not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        except RecursionError:
            raise SourceError("nested too deeply") from None
        else:
            if too_many := Tally(source.bounds).decoded(text, 0, len(text)):
                raise SourceError(too_many)
            return [JsonPart(value)]
        try:
            return _yaml(text, source)
        except SourceError:
            raise SourceError(problem) from None
    return _yaml(text, source)


def _yaml(text: str, source: Source) -> list[Part]:
    return yaml_documents(text, source.bounds.yaml_values)
