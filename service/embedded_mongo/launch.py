"""Launches the mongod of a data directory: its options, and the process that leaves it running."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPLICA_SET = "modeldeck"
START_SECONDS = 60.0
MAX_CACHE_GB = 2.0
# By default the server starts to write changed pages out when they fill 5 % of the cache. A large import changes the
# same index pages again and again; writing and reading them each time takes 2.5 times the processor time.
CACHE_POLICY = (
    "eviction_dirty_target=40,eviction_dirty_trigger=70,eviction_updates_target=30,eviction_updates_trigger=60"
)
# Operations that are slower are logged with what they write, such as prompts. This is 23 days.
SLOW_MS = 2_000_000_000


def arguments(database: Path, log: Path, socket: Path) -> list[str]:
    """Return the arguments of a mongod that keeps its files in `database` and listens on `socket`."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    values = {
        "--dbpath": database,
        "--logpath": log,
        "--replSet": REPLICA_SET,
        "--bind_ip": socket,
        "--unixSocketPrefix": socket.parent,
        "--port": 27017,  # only names the socket: nothing listens on TCP
        "--filePermissions": "0600",
        "--oplogSize": 990,
        "--networkMessageCompressors": "disabled",
        "--profile": 0,
        "--slowms": SLOW_MS,
        "--wiredTigerCacheSizeGB": round(max(0.25, min(MAX_CACHE_GB, (memory_gb - 1) / 2)), 2),
        "--wiredTigerEngineConfigString": CACHE_POLICY,
        "--setParameter": "diagnosticDataCollectionEnabled=false",
    }
    # With --fork it is no child of ours, and Ctrl-C in the terminal does not reach it. The command returns when the
    # server listens. No query of ours runs JavaScript, and nobody else's shall.
    return ["--fork", "--logappend", "--noscripting", *(str(part) for pair in values.items() for part in pair)]


def launched(command: list[str], environment: dict[str, str], inherited: int) -> int:
    """Run a command that leaves a mongod behind, which inherits a file descriptor; return the exit status."""
    # In a thread, since only the main thread is interrupted by signals, and it waits for the thread to end: a mongod
    # whose start was interrupted could be neither found nor stopped.
    with ThreadPoolExecutor(1, thread_name_prefix="modeldeck-launch") as executor:
        return executor.submit(_launch, command, environment, inherited).result()


def _launch(command: list[str], environment: dict[str, str], inherited: int) -> int:
    launcher = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(inherited,),
    )
    try:
        return launcher.wait(START_SECONDS)
    except subprocess.TimeoutExpired:
        launcher.kill()
        return launcher.wait()
