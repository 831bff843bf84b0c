"""A team that keeps a directory in step with a file: the file, the command that imports it, and what is stored."""

import json
from typing import Any

from tests.support.commands import CommandLine, Done
from tests.support.directory import Directory, grant
from tests.support.import_samples import Raw, dump, write_source

SOURCE = ("--source", "prod", "--owner", "root")
_OUTCOMES = ("created", "updated", "unchanged", "skipped", "conflict", "rejected", "deleted")
FAST = {
    "name": "Fast",
    "base_model_id": "openai/gpt-4o",
    "params": {"temperature": 0.5, "top_p": 1},
    "meta": {"description": "d"},
    "access_grants": [grant("group:ops"), grant("user:ann")],
}
SLOW = {"name": "Slow", "params": {}, "meta": {}, "access_grants": []}


class Team:
    """A directory, the file that it is kept in step with, and the command that does it."""

    def __init__(self, directory: Directory, raw: Raw, shell: CommandLine) -> None:
        self.directory, self.raw, self.shell = directory, raw, shell
        self.entries: dict[str, dict[str, Any]] = {"fast": dict(FAST), "slow": dict(SLOW)}

    def write(self, content: Any = None, name: str = "models.json") -> None:
        """Write the file, or another one with this content."""
        models = [{"id": model_id, **entry} for model_id, entry in self.entries.items()]
        write_source(self.shell.folder, {"models": models} if content is None else content, name)

    def run(self, *options: str, name: str = "models.json") -> tuple[Done, list[str]]:
        """Import the file, first as a dry run, which must tell exactly what follows; return that plan too."""
        if name == "models.json":
            self.write()
        command = ("import", name, *options)
        # The last use of a key is stored in the background of a request.
        before = dump(self.raw, "api_keys")
        plan = self.shell.run(*command, "--dry-run", "--report", "plan.json")
        assert dump(self.raw, "api_keys") == before
        done = self.shell.run(*command, "--report", "done.json")
        planned, made = (json.loads((self.shell.folder / f"{of}.json").read_text()) for of in ("plan", "done"))
        # Only what was done can be undone.
        undone = made.pop("undone")
        assert planned == {**made, "undone": None}
        assert plan.status == done.status
        assert done.stderr == plan.stderr if undone is None else plan.stderr in done.stderr
        return done, plan.stdout.splitlines()

    def keep(self, *options: str) -> tuple[int, str, list[str]]:
        """Import it as the source `prod`; return the exit status, the last line, and the lines on models."""
        done, plan = self.run(*SOURCE, *options)
        return done.status, done.stdout.splitlines()[-1], [line for line in plan if line.startswith(_OUTCOMES)]

    def stored(self, model_id: str) -> dict[str, Any]:
        """Return a record."""
        record = self.raw["models"].find_one({"_id": model_id})
        assert record is not None
        return record

    async def by_hand(self, path: str, body: Any = None, **parameters: Any) -> None:
        """Change something through the API."""
        answer = await self.directory.post(path, "root", body, **parameters)
        assert answer.status_code == 200, answer.text
