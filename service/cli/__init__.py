"""The command line: one file for each group of commands."""


def main() -> None:
    """Run the command line: the console script `modeldeck`."""
    # Imported here, so that a module of this package can be imported without all commands.
    from service.cli.commands import main as run  # noqa: PLC0415

    run()
