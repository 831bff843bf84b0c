"""An example program that uses a generated Python client; test_clients.py runs it and checks its types."""

import os
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
from generated_client import AuthenticatedClient
from generated_client.api.models import create_model, get_model, list_models, patch_model, update_model
from generated_client.models import (
    CreateModel,
    GrantInput,
    Model,
    PatchModel,
    PatchModelMeta,
    Permission,
    PrincipalType,
    Problem,
    UpdateModel,
)
from generated_client.models.list_models_kind import ListModelsKind
from generated_client.types import Unset

client = AuthenticatedClient(os.environ["URL"], os.environ["KEY"], timeout=httpx.Timeout(30))

page = list_models.sync(client=client, query="gpt", kind=ListModelsKind.BASE, page_size=2)
assert page is not None and not isinstance(page, Problem)
assert page.total is not None and page.total > 2
assert len(page.items) == 2
# With `fields`, an item may lack any of the others.
assert all(not isinstance(item.name, Unset) and "gpt" in item.name.lower() for item in page.items)

partial = list_models.sync(client=client, query="gpt", fields="name,meta.description", page_size=2)
assert partial is not None and not isinstance(partial, Problem)
assert [isinstance(item.name, str) and isinstance(item.version, Unset) for item in partial.items] == [True, True]

shared = [GrantInput(principal_type=PrincipalType.GROUP, principal_id="g-platform", permission=Permission.READ)]
created = create_model.sync(client=client, body=CreateModel(id="generated", name="Generated", access_grants=shared))
assert isinstance(created, Model)
assert (created.version, created.access_grants[0].principal_id) == (1, "g-platform")

read = get_model.sync_detailed(client=client, id="generated")
assert read.parsed == created
etag = read.headers["ETag"]

change = UpdateModel(id="generated", name="Generated, then changed")
updated = update_model.sync(client=client, body=change, if_match=etag)
assert isinstance(updated, Model)
assert (updated.name, updated.version) == (change.name, 2)

patch = PatchModel(meta=PatchModelMeta.from_dict({"description": "Patched"}))
patched = patch_model.sync(client=client, id="generated", body=patch, if_match='"2"')
assert isinstance(patched, Model)
assert (patched.meta["description"], patched.name, patched.version) == ("Patched", change.name, 3)

again = [create_model.sync(client=client, body=CreateModel(id="once", name="Once"), idempotency_key="k") for _ in "ab"]
assert again[0] == again[1] and isinstance(again[0], Model)

stale = update_model.sync_detailed(client=client, body=change, if_match=etag)
assert stale.status_code == HTTPStatus.PRECONDITION_FAILED
assert isinstance(stale.parsed, Problem)
assert stale.parsed.detail == "The current version is 3."

refused = list_models.sync(client=client, page_size=1000)
assert isinstance(refused, Problem)
assert not isinstance(refused.errors, Unset)
assert [fault.loc for fault in refused.errors] == [["query", "page_size"]]
if TYPE_CHECKING:
    # The generated types reject wrong values.
    CreateModel(id=1, name="A")  # type: ignore[arg-type]
    list_models.sync(client=client, surprise=1)  # type: ignore[call-arg]
print("done")
