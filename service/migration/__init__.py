"""Moving in and out: everything that imports and exports.

`import_source` is the door for scripts; the command line goes through the same one.
"""

from service.migration.doors import import_source
from service.migration.formats import Format
from service.migration.options import ImportOptions, OnConflict
from service.migration.report import Outcome, Report

__all__ = ["Format", "ImportOptions", "OnConflict", "Outcome", "Report", "import_source"]
