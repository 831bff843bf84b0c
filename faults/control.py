"""D2: a service that takes the primary's word alone must be caught losing writes, or the ledger proves nothing."""

import time
from collections.abc import Iterator

from faults.failover import told
from faults.ledger import judge
from faults.place import Place
from faults.report import Row, judged, progress
from faults.services import Installation, stored
from faults.writers import Writers
from tests.support.commands import until

ALONE_SECONDS = 3.0
MUST_HOLD = "the ledger finds acknowledged writes lost; otherwise D1 proves nothing"


def run(place: Place) -> Iterator[Row]:
    """Yield the row of the control."""
    with place.replica_set() as replica_set:
        installation = Installation(place.folder_for("control"), replica_set.uri, "faults_control")
        with installation.serving(weak=True) as service:
            writers = Writers(service.url, service.key, "control")
            with writers.writing():
                time.sleep(2.0)
                primary = replica_set.primary()
                with replica_set.unfollowed():
                    moment = time.monotonic()
                    time.sleep(ALONE_SECONDS)
                    primary.kill()
                until(lambda: replica_set.primary() is not primary, "there is another primary", 60.0)
                primary.start()
                replica_set.whole()
                progress(f"D2: whole again after {time.monotonic() - moment:.1f} s")
        verdict = judge(writers.attempts, stored(replica_set, installation.database, "control"))
    broken = [] if verdict.lost else ["the ledger found nothing lost: it is void"]
    test = "control: as D1, with w:1 and secondaries that do not follow (stopReplProducer), then kill -9"
    yield judged("D2", test, told(writers, verdict), MUST_HOLD, broken)
