"""Terms that people search for, and terms that would be hard work as patterns; of the same lengths."""

PLAIN = (
    "e",
    "an",
    "sql",
    "coder",
    "assistant",
    "no such words anywhere",
    "a helper for everybody who reads contracts, reports and letters",
    "long " * 25 + "one",
)
BOMBS = (
    "[",
    ".*",
    "(a+)+$",
    "^(a|a)*$",
    "(?i)(x+x+)+y",
    "([a-z]*[a-z]*)*[0-9]",
    "(.*a){20}(.*e){20}(.*i){20}\\Q$(.|\\s)*?(.|\\n)*?[^\\x00-\\x7f]{0,99}",
    ".*" * 64,
    "(" * 128,
    "a?" * 42 + "a" * 42,
)
