"""Moving in and out: everything that imports and exports.

`import_source` is the door for scripts; the command line goes through the same one.
"""

from service.importing.formats import Format
from service.importing.open_source import import_source
from service.importing.plan import ImportOptions, OnConflict
from service.importing.report import ImportOutcome, Report

__all__ = ["Format", "ImportOptions", "ImportOutcome", "OnConflict", "Report", "import_source"]
