"""What Modeldeck does: the HTTP service, the command line and what both are made of."""

import os

# Motor reads this once, when it is first imported. Its default of five threads a core makes requests wait for
# a thread, where no driver deadline counts; these are more than the requests that are let in at a time.
os.environ.setdefault("MOTOR_MAX_WORKERS", "160")
