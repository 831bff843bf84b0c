"""All routes of the page."""

from fastapi import APIRouter

from service.web import assets, catalogue, sign_in

router = APIRouter(include_in_schema=False)
for part in (assets, sign_in, catalogue):
    router.include_router(part.router)
