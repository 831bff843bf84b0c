"""All routes of the page."""

from fastapi import APIRouter

from service.web import (
    assets,
    catalogue,
    changes_page,
    edit,
    history_page,
    me_page,
    model_changes,
    model_page,
    overview,
    sharing,
    sign_in,
)

router = APIRouter(include_in_schema=False)
for part in (
    assets,
    sign_in,
    catalogue,
    model_page,
    model_changes,
    history_page,
    changes_page,
    edit,
    sharing,
    me_page,
    overview,
):
    router.include_router(part.router)
