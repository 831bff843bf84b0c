"""Resume tokens: places in the order of changes, encrypted, so that they tell nobody how much others change."""

import base64
import secrets
import struct
from binascii import Error as NotBase64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from documents import Revision
from service.changes.entries import FeedPosition
from service.database.client import Database
from service.errors import InvalidInputError

MAX_LENGTH = 200
INVALID = (
    "is no token that you got from this directory, or is from before it was restored; leave it out, and get the models "
    "anew"
)
_PLACE = struct.Struct(">III")
_NONCE_BYTES = 12
_PURPOSE = b"modeldeck resume tokens 1"


class Tokens:
    """Makes resume tokens and reads them; each is for one user.

    The key comes from the random id that the database gave the collection of revisions: all processes have it, no
    client knows it, and it changes when the collection is restored and tokens have lost their meaning.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cipher: AESGCM | None = None

    async def ready(self) -> None:
        """Get the key, if that was not done yet."""
        if self._cipher is None:
            seed = await self._database.collection_uuid(str(Revision.Settings.name))
            key = HKDF(hashes.SHA256(), 32, salt=None, info=_PURPOSE).derive(seed)
            self._cipher = AESGCM(key)

    def token(self, position: FeedPosition, user_id: str) -> str:
        """Return the token of a place, for a user."""
        assert self._cipher is not None  # noqa: S101  # `ready` was called
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, _PLACE.pack(*position), user_id.encode())
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def position(self, token: str, user_id: str, loc: tuple[str, str]) -> FeedPosition:
        """Return the place that a token of a user means; raise InvalidInputError, about `loc`, for any other text."""
        assert self._cipher is not None  # noqa: S101  # `ready` was called
        try:
            sealed = base64.b64decode(token.encode("ascii") + b"==", altchars=b"-_", validate=True)
            opened = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], user_id.encode())
            return FeedPosition(*_PLACE.unpack(opened))
        except (UnicodeEncodeError, NotBase64, InvalidTag, ValueError, struct.error):
            raise InvalidInputError([{"loc": list(loc), "msg": INVALID}]) from None
