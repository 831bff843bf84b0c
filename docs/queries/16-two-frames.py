# Which tags the models have that are shared with each group
# Two views as data frames, joined in memory: so for all questions that would join two views row by row.
import polars as pl
import pyarrow as pa
from pymongoarrow.api import Schema, find_polars_all

text = pa.string()
of_grants = Schema({"model_id": text, "principal_id": text, "principal_name": text})
of_models = Schema({"_id": text, "folded_tags": pa.list_(text)})
grants = find_polars_all(db.model_grants, {"principal_type": "group"}, schema=of_grants)
models = find_polars_all(db.models_flat, {"folded_tags.0": {"$exists": True}}, schema=of_models)
frame = (
    grants.unique()
    .join(models, left_on="model_id", right_on="_id")
    .explode("folded_tags")
    .group_by("principal_id", "principal_name", tag="folded_tags")
    .agg(models=pl.len())
    .sort("models", "principal_id", "tag", descending=[True, False, False])
)
rows = frame.head(20).to_dicts()
