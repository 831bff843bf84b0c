"""Write the data dictionary: `make docs`."""

from pathlib import Path

from indexes.dictionary.page import data_page

DOCS = Path(__file__).parents[2] / "docs"

if __name__ == "__main__":
    (DOCS / "data.md").write_text(data_page(DOCS / "queries"), encoding="utf-8")
