"""What secrets look like: keys and tokens with a known beginning, accounts in addresses, assignments, random text."""

import re
from collections.abc import Iterator
from itertools import pairwise

from documents.image import EMBEDDED, image_problem
from service.importing.readers.secret_names import Place, is_secret_name, words

# Longer texts could not be stored either.
MAX_SEARCHED = 500_000
# A search holds up other threads, so a long text is searched part by part. What is found is shorter than the overlap.
_PART, _OVERLAP = 20_000, 1_000
_SPACE = re.compile(r"\s")

_VARIABLE = re.compile(r"(?:Bearer )?os\.environ/[A-Za-z_][A-Za-z0-9_]*")
# Where LiteLLM obtains a token of an identity provider.
_PROVIDER = re.compile(
    r"oidc/(?:google|github|azure|circleci|circleci_v2|file|env|env_path)(?:/(?:https?://)?[\w./:~-]{0,500})?", re.ASCII
)
# How keys and tokens of known kinds begin, in lower case, and what they look like.
_KEYS = {
    "sk-": r"sk-[\w-]{4}",
    "sk_": r"sk_[\w-]{4}",
    "akia": r"AKIA[A-Z0-9]{12}",
    "asia": r"ASIA[A-Z0-9]{12}",
    "aiza": r"AIza[\w-]{20}",
    "gh": r"gh[opusr]_\w{10}",
    "github_pat_": r"github_pat_\w{10}",
    "glpat-": r"glpat-[\w-]{10}",
    "xox": r"xox[a-z]-[\w-]{6}",
    "hf_": r"hf_\w{16}",
    "gsk_": r"gsk_\w{16}",
    "mdk_": r"mdk_\w{8}",
    "eyj": r"eyJ[\w-]{16}",
    "nvapi-": r"nvapi-[\w-]{16}",
    "dapi": r"dapi[0-9a-f]{16}",
    "ya29.": r"ya29\.[\w-]{10}",
    "sg.": r"SG\.[\w-]{10}",
    "npm_": r"npm_\w{16}",
    "pplx-": r"pplx-\w{24}",
    "xai-": r"xai-\w{24}",
    "csk-": r"csk-\w{24}",
    "r8_": r"r8_\w{24}",
    "rk_live_": r"rk_live_\w{8}",
    "whsec_": r"whsec_\w{16}",
    "gocspx-": r"GOCSPX-[\w-]{16}",
    "shp": r"shp(?:at|ss)_\w{16}",
    "tvly-": r"tvly-[\w-]{16}",
    "lsv2_": r"lsv2_[a-z]{2}_\w{16}",
    "tgp_v1_": r"tgp_v1_[\w-]{16}",
    "jina_": r"jina_\w{24}",
    "dop_v1_": r"dop_v1_\w{16}",
    "hvs.": r"hvs\.[\w-]{16}",
    "glsa_": r"glsa_\w{16}",
    "pypi-": r"pypi-AgE\w{8}",
    "pmak-": r"PMAK-\w{16}",
    ":aa": r"[0-9]{8,10}:AA[\w-]{30}",
    "age-secret-key-": r"AGE-SECRET-KEY-",
}
# What a text in lower case contains if it can hold such a secret, and what that looks like.
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    (("-----begin", "putty-user"), re.compile(r"-----BEGIN|PuTTY-User-Key-File")),
    (tuple(_KEYS), re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_KEYS.values())})")),
    (
        ("bearer", "basic"),
        re.compile(r"\b(?i:bearer)\s+[\w.~+/=-]{8}|\b(?i:basic)\s+(?=\S{0,200}(?:[0-9=]|[a-z][A-Z]))[\w+/=-]{8}"),
    ),
    (("://",), re.compile(r"://[^\s/?#]{0,200}@|://[^\s/?#:@]{0,200}:(?!\d{1,5}[/?#])[^\s@]{0,200}@")),
    (
        ("=",),
        re.compile(
            r"(?i:[?&;#](?:[\w.-]{0,40}(?:key|token|secret|password|credential|signature)|sig|code|pwd|pass|pat|auth|jwt"
            r"|session)=[^\s&]{4})"
        ),
    ),
    (
        ("authorization", "key", "password", "pwd", "secret", "token", "signature"),
        re.compile(
            r"(?i:(?:authorization|api[-_ ]?key|account_?key|password|pwd|client_?secret|secret_?key"
            r"|access_?(?:key|token)|access_?signature)[\"']?\s{0,9}[:=]\s{0,9}[\"']?[^\s\"']{4})"
        ),
    ),
    # The path of a webhook's address is its secret.
    (
        ("hook", "api.telegram.org", "maker.ifttt.com"),
        re.compile(
            r"(?i:hooks\.slack\.com/[a-z]{1,20}/|discord(?:app)?\.com/api/webhooks/|webhook\.office\.com/"
            r"|office\.com/webhook/|hooks\.zapier\.com/hooks/|/open-apis/bot/v2/hook/|api\.telegram\.org/bot"
            r"|maker\.ifttt\.com/trigger/)\S{4}"
        ),
    ),
    # The fingerprint of a key belongs to what signs a request.
    ((":",), re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}:){15}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:])")),
)
# A name with its value, in a query string, a connection string, JSON or prose.
_ASSIGNED = re.compile(
    r"(?<![\w.-])([\w.-]{1,60})(?:[\"'] ?[:=]|\s{0,3}=)\s{0,3}[\"']?[^\s\"'&;,<>{}()\[\]$=]{4}", re.ASCII
)
_ASSIGNING = ("=", '":', "':", '" :', "' :")
# An account at a host without a scheme, as a proxy may be configured.
_ACCOUNT = re.compile(
    r"(?<![\w.%+/@-])(?!mailto:)[\w.%+-]{1,64}:[^\s:@/]{3,200}@"
    r"(?:[\w-]{1,63}:[0-9]{2,5}\b|(?:[\w-]{1,63}\.){1,9}[\w-]|localhost\b)"
)
_WHOLE_ACCOUNT = re.compile(
    r"(?!mailto:)[\w.%+-]{1,64}:(?!//)[^\s@]{3,200}@(?!sha256\b)[\w.-]{1,255}(?::[0-9]{1,5})?(?:/\S*)?"
)
# Hosts, and ids of Oracle's cloud, look random, but are no secrets.
_NO_SECRET = re.compile(r"://[^\s/?#@]{1,255}|\bocid1\.[\w.-]{1,255}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
_AWS_KEY = re.compile(r"(?=.*[0-9])(?=.*[A-Z])(?=.*[a-z])[A-Za-z0-9+/]{40}")
_CAPITAL = re.compile(r"[A-Z](?=[a-z]{3})")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
# Random text changes between letters and digits, or lower and upper case, far more often than words and numbers do.
# A text is taken for random from this length on, if it changes at this share of its characters.
_RANDOM_RUNS = ((20, 0.35), (28, 0.24))
_RANDOM_WHOLE = ((24, 0.5), (32, 0.34))


def is_reference(text: str) -> bool:
    """Return whether a text says where a secret is kept (`os.environ/NAME`, `oidc/google/…`), and holds none itself."""
    if _VARIABLE.fullmatch(text):
        return True
    return _PROVIDER.fullmatch(text) is not None and not _holds_secret(text, identifies=False)


def looks_secret(text: str, *, identifies: bool = False) -> bool:
    """Return whether a text is or contains what looks like a key, a token or a password, or is too long to be searched.

    With `identifies`, it is expected to be an identifier and may look random.
    """
    if len(text) > MAX_SEARCHED:
        return True
    if is_reference(text) or (text.startswith(EMBEDDED) and image_problem(text) is None):
        return False
    return any(_holds_secret(part, identifies=identifies) for part in _parts(text))


def _parts(text: str) -> Iterator[str]:
    """Yield parts of a text that overlap; each begins between two words, if it can."""
    at = 0
    while at < len(text):
        yield text[at : at + _PART + _OVERLAP]
        space = _SPACE.search(text, at + _PART, at + _PART + _OVERLAP // 2)
        at = space.start() if space else at + _PART


def _holds_secret(text: str, *, identifies: bool) -> bool:
    folded = text.lower()
    if any(pattern.search(text) for marks, pattern in _SHAPES if any(mark in folded for mark in marks)):
        return True
    assigned = _ASSIGNED.finditer(text) if any(mark in text for mark in _ASSIGNING) else ()
    if any(is_secret_name(words(found[1])) for found in assigned):
        return True
    if identifies:
        return False
    if "@" in text and (_ACCOUNT.search(text) or _WHOLE_ACCOUNT.fullmatch(text)):
        return True
    if "://" in text or "ocid1." in text:
        text = _NO_SECRET.sub(" ", text)
    return any(map(_random, _TOKEN.findall(text)))


def query_looks_secret(text: str) -> bool:
    """Return whether a query string without its question mark (`code=…&v=1`) has a parameter for secrets."""
    names = (part.partition("=")[0] for part in text.split("&"))
    return any(is_secret_name(words(name), Place.QUERY) for name in names)


def _random(token: str) -> bool:
    if _AWS_KEY.fullmatch(token):
        return True
    runs = [run for run in re.split(r"[+/=_-]+", token) if not _HEXADECIMAL.fullmatch(run)]
    return any(_changes_often(run, _RANDOM_RUNS) for run in runs) or _changes_often("".join(runs), _RANDOM_WHOLE)


def _changes_often(run: str, bounds: tuple[tuple[int, float], ...]) -> bool:
    if not any(map(str.isdigit, run)):
        return False
    run = _CAPITAL.sub(lambda capital: capital[0].lower(), run)
    kinds = [(character.isdigit(), character.isupper()) for character in run]
    changes = sum(one != other for one, other in pairwise(kinds))
    return any(len(run) >= length and changes >= share * (len(run) - 1) for length, share in bounds)
