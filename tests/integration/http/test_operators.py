"""MongoDB operators in every field and parameter of every route change nothing and reach the database as values.

A sample of the cases here; all of them with `python -m faults S8`.
"""

import pytest

from tests.conftest import Commands
from tests.support.directory import Directory
from tests.support.every_case import sample
from tests.support.examples import EXAMPLES, Raw, fill, restore
from tests.support.injections import MARK, Attack, attacks
from tests.support.literals import misplaced

pytestmark = pytest.mark.exhaustive

# Not a divisor of the number of cases per field, so that all cases occur in the samples of all fields together; the
# samples of both APIs together contain every field.
ONE_OF = 23


async def _try(directory: Directory, commands: Commands, attack: Attack, user: str) -> int:
    """Send one request and assert that it does no harm; return the status."""
    headers = {"Authorization": f"Bearer {await directory.key(user)}", **attack.headers}
    commands.clear()
    answer = await directory.client.request(attack.method, attack.address, content=attack.body, headers=headers)
    assert answer.status_code < 500, (attack, answer.text)
    harmful = [found for event in commands.started_events for found in misplaced(event.command, MARK)]
    assert harmful == [], attack
    assert not (attack.must_fail and answer.status_code < 300), (attack, answer.text)
    return answer.status_code


@pytest.mark.parametrize(("user", "compatible"), [("u-admin", False), ("u-anna", True)], ids=["strict", "compatible"])
async def test_operators_reach_the_database_as_values(
    directory: Directory, raw: Raw, commands: Commands, user: str, compatible: bool
) -> None:
    records = await fill(directory, raw)
    seen: dict[int, int] = {}
    for number, example in enumerate(EXAMPLES):
        if compatible and not example.has_compatible_route:
            continue
        restore(raw, records)
        for attack in sample(attacks(example, compatible=compatible), ONE_OF, number + 6 * compatible):
            status = await _try(directory, commands, attack, user)
            seen[status] = seen.get(status, 0) + 1
    # Some requests succeed, so the operators do reach the database as text.
    assert seen[200] > 15
    assert sum(seen.values()) > 100
