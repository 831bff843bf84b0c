"""Which names of fields, headers and query parameters are those of secrets."""

import re
from enum import Enum
from unicodedata import combining, normalize


class Place(Enum):
    """Where a name stands: in any mapping, among HTTP headers, or among the parameters of a query string."""

    FIELD = "field"
    HEADER = "header"
    QUERY = "query"


_WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+")
# What follows the name of a secret when there are several of a kind, or says how it is written.
_ENDINGS = (
    *("json", "base64", "b64", "encoded", "encrypted", "raw", "plain", "text", "data", "value", "values"),
    *("old", "new", "current", "previous", "primary", "secondary", "backup", "default"),
    *("prod", "production", "staging", "dev", "test", "live", "eu", "us"),
)
# Looked for from the end, in reverse: a search from the beginning would try each digit of a long number as the first.
_REVERSED_ENDING = re.compile(rf"(?:(?:{'|'.join(ending[::-1] for ending in _ENDINGS)})_|[0-9]_?)+")
# Wherever they stand in a name, it is that of a secret, unless it goes on to say something about the secret.
_STEMS = re.compile(
    r"secret|passw(?:or)?d|pass_?phrase|private_?key|access_?key|api_?key|master_?key|auth_?key|subscription_?key"
    r"|(?:access|auth|bearer|refresh|session)_?token(?!s)|webhook|connection_?string|kube_?config|mnemonic"
    r"|(?:seed|recovery|backup|wallet)_?(?:phrase|words)|(?:otp|recovery|wallet)_?seed"
    # The same in other languages, without accents.
    r"|kennwort|passwort|geheimnis|contrasena|clave_?secreta|senha|segredo|mot_?de_?passe|cle_?(?:secrete|api)"
    r"|wachtwoord|hasło|heslo|losenord|adgangskode|salasana|parola|пароль|секрет"
)
# Compared without accents too: those of Japanese and Korean are parts of their letters.
_IN_OTHER_SCRIPTS = ("パスワード", "暗証番号", "密码", "密碼", "密钥", "비밀번호")
_ABOUT = re.compile(
    r"_(?:names?|arn|env|env_vars?|file|path|dir|uri|endpoint|manager|policy|length|limits?|count|ttl|type|enabled"
    r"|required|scopes?|expiry|expires(?:_(?:at|in))?|duration|seconds|issuer|cost)$|token_ur[li]$"
)
_LAST = re.compile(
    r"auth$|(?:^|_)auth_(?:header|info)s?$|authorization$|pwd$|jwt$|csrf$|xsrf$"
    r"|(?:^|_)(?:bearer|pass|passcode|credentials?|creds?|dsn|conn(?:ection)?_?str|cookies?|session|sessions|pats?|sas"
    r"|sas_ur[li]|sig|signature|hmac|otp|totp|salt|pem|pfx|p12|pkcs12|keystore|assertion|psk|pw|pin)$"
    r"|(?:github|gitlab|azure|devops)pat$|(?:db|user|my|redis|proxy|login|smtp|http)pass$"
    r"|(?:access|activation|auth|authorization|backup|device|invite|licen[cs]e|login|pin|recovery|security|unlock"
    r"|verification)_?codes?$"
    r"|client_?cert(?:ificate)?s?$|(?:^|_)(?:oci|key)_fingerprint$"
    r"|^tokens$|(?:^|_)(?:access|api|auth|bearer|refresh|session)_?tokens$"
)
_KEY = re.compile(r"keys?$")
_BARE_KEYS = ("key", "keys")
_HARMLESS_KEY = re.compile(
    r"(?:cache|sort|primary|partition|public|foreign|idempotency|hot)_?keys?$|(?:mon|tur|don|joc|hoc|whis)keys?$"
)
_TOKEN = "token"  # noqa: S105  # a name
_HARMLESS_TOKEN = re.compile(
    r"(?:^|_)(?:per_|(?:bos|eos|pad|unk|sep|cls|mask|stop|start|end|special|max|min|num|first|last|begin"
    r"|image|audio|video|text|input|output|prompt|completion|reasoning|thinking)_?$)"
)
_IN_HEADER = re.compile(r"auth(?!or(?!i))|key|token|secret|cookie|pass|credential|session|signature")
_IN_QUERY = re.compile(r"(?:^|_)(?:code|ticket)$")
_COUNT = re.compile(r"(?:^|_)(?:max|min|num|n)_(?:[a-z]{1,20}_){0,4}tokens?$")
# Identifiers look random too, but are no secrets.
_IDENTIFIER = re.compile(
    r"(?:^|_)(?:ids?|names?|models?|version|organization|project|deployment|arn|hash|digest|checksum|fingerprint"
    r"|revision|groups?|tokenizer|region|role|profile|tenant|tenancy|compartment|account|user|username|bucket"
    r"|namespace|workspace|warehouse|cluster|database|schema|catalog)$"
)
_QUERIES = re.compile(r"(?:^|_)query(?:_?(?:param(?:eter)?s?|string))?$")


def words(name: str) -> str:
    """Return a name of any style (`apiKey`, `X-Api-Key`) in lower case, without accents, `_` between its words."""
    return _WORD_BORDER.sub("_", name if name.isascii() else _without_accents(name)).strip("_").lower()


def _without_accents(name: str) -> str:
    return "".join(letter for letter in normalize("NFKD", name) if not combining(letter))


_FOREIGN = re.compile("|".join(map(_without_accents, _IN_OTHER_SCRIPTS)))


def is_secret_name(name: str, place: Place = Place.FIELD) -> bool:
    """Return whether a name, as `words` returns it, is one under which secrets are kept.

    A name that says where or how a secret is kept (`secret_name`, `access_token_url`), or who uses it (`username`,
    `aws_role_name`), is none.
    """
    ending = _REVERSED_ENDING.match(name[::-1])
    # The value of what is about a secret (`secret_name_value`) is the secret again.
    is_value = ending is not None and "eulav" in ending[0]
    name = name[: len(name) - ending.end()] if ending else name
    if _is_harmless(name):
        return False
    if _LAST.search(name) or _KEY.search(name) or name.endswith(_TOKEN):
        return place is not Place.FIELD or name not in _BARE_KEYS
    if place is not Place.FIELD and (_IN_HEADER.search(name) or (place is Place.QUERY and _IN_QUERY.search(name))):
        return True
    if _FOREIGN.search(name):
        return True
    return _STEMS.search(name) is not None and (is_value or not _ABOUT.search(name))


def is_bare_key(name: str) -> bool:
    """Return whether a name says no more than `key`: that of something, or a secret."""
    return name in _BARE_KEYS


def is_identifier(name: str) -> bool:
    """Return whether a name is that of an identifier, which may look as random as a secret."""
    return _IDENTIFIER.search(name) is not None


def place_below(name: str, place: Place) -> Place:
    """Return where the names of a mapping stand that has the given name and stands in `place` itself."""
    if name.endswith("headers"):
        return Place.HEADER
    return Place.QUERY if _QUERIES.search(name) else place


def _is_harmless(name: str) -> bool:
    if _HARMLESS_KEY.search(name) or _COUNT.search(name):
        return True
    return name.endswith(_TOKEN) and _HARMLESS_TOKEN.search(name[: -len(_TOKEN)]) is not None
