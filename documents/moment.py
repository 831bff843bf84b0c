"""A moment as it is stored: in whole seconds of UTC."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator


def _whole_seconds(moment: datetime) -> datetime:
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.replace(microsecond=0)


# The API shows whole seconds; storing fractions would sort records by something invisible.
Moment = Annotated[datetime, AfterValidator(_whole_seconds)]
