"""A small directory with every kind of path to a model, and short ways to request the explanation of access."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from documents.user import Role
from service.models.access.schemas import AccessExplanation, ReaderPage
from tests.support.directory import Directory, grant, model

ACCESS = "/api/models/model/access"
PEOPLE = ["heir", "member", "named", "owner", "root", "stranger"]
PathSummary = tuple[str, str, tuple[str, ...]]


async def add_people(directory: Directory) -> None:
    """Add one user for each kind of path to a model, and a stranger; the groups are low < mid < top, and aside."""
    for group, parent in (("top", None), ("mid", "top"), ("low", "mid"), ("aside", None)):
        await directory.group(group, parent)
    for user, groups in (("owner", ()), ("named", ()), ("member", ("top",)), ("heir", ("low",))):
        await directory.user(user, groups=groups)
    await directory.user("stranger", groups=["aside"])
    await directory.user("root", role=Role.ADMIN)


async def add_shared_model(
    directory: Directory, tmp_path: Path, *grants: Mapping[str, str], model_id: str = "m"
) -> None:
    """Add a model of the user `owner` with some grants."""
    report = await directory.load({"models": [model(model_id, "owner", access_grants=list(grants))]}, tmp_path)
    assert report.clean


async def add_model_shared_each_way(directory: Directory, tmp_path: Path) -> None:
    """Add a model that `named` may read, and that members of `top` and the groups below may write."""
    await add_shared_model(directory, tmp_path, grant("user:named"), grant("group:top", "write"))


async def readers(directory: Directory, as_user: str = "owner", model_id: str = "m", **page: Any) -> dict[str, Any]:
    """Return a page of those who may read a model."""
    answer = await directory.get(ACCESS, as_user, id=model_id, **page)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert ReaderPage.model_validate(found).model_dump(mode="json") == found
    return found


async def permissions(directory: Directory, as_user: str = "owner", model_id: str = "m") -> dict[str, str]:
    """Return what each of those who may read a model may do."""
    items = (await readers(directory, as_user, model_id, page_size=100))["items"]
    return {item["user"]["id"]: item["permission"] for item in items}


async def explanation(directory: Directory, user: str, as_user: str = "owner", model_id: str = "m") -> dict[str, Any]:
    """Return what one user may do with a model."""
    answer = await directory.get(ACCESS, as_user, id=model_id, user_id=user)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert AccessExplanation.model_validate(found).model_dump(mode="json") == found
    return found


def path_summaries(paths: list[dict[str, Any]]) -> list[PathSummary]:
    """Return kind, permission and groups of each path."""
    assert all(path["group_id"] == (path["via"][-1] if path["via"] else None) for path in paths)
    return [(path["kind"], path["permission"], tuple(path["via"])) for path in paths]
