"""Importing from files and databases of other systems, and from bundles. Scripts call `import_source`."""

from service.importing.formats import SourceFormat
from service.importing.open_source import import_source
from service.importing.plan import ImportOptions, OnConflict
from service.importing.report import ImportOutcome, Report

__all__ = ["ImportOptions", "ImportOutcome", "OnConflict", "Report", "SourceFormat", "import_source"]
