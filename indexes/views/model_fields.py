"""The columns of a model that several views have, and how they are computed from its record."""

from indexes.views.expressions import (
    as_list,
    filtered,
    list_or_none,
    mapped,
    object_or_none,
    text_or,
    well_formed_grants,
)
from indexes.views.view import Column

OWNER_ID = Column("owner_id", "string", "Id of its owner, who may no longer exist.", "u-anna")
BASE_MODEL_ID = Column(
    "base_model_id", "string or null", "The model that it configures; null for a base model.", "openai/gpt-4o"
)
IS_ACTIVE = Column("is_active", "bool", "Whether it is active.", True)
CAPABILITIES = Column(
    "capabilities", "array of string", "Names of its capabilities whose value is true.", ["function_calling"]
)
PROMPT_LENGTH = Column(
    "prompt_length", "int or null", "Length of its system prompt in characters; null when it has none.", 87
)

GRANTS = well_formed_grants("$access_grants")
FOLDED_TAGS = filtered(as_list("$keys.tags"), {"$eq": [{"$type": "$$this"}, "string"]})
WRITTEN_TAGS = filtered(
    mapped(list_or_none("$meta.tags"), text_or("$$this.name", None)),
    {"$ne": ["$$this", None]},
)

# How the columns above are computed; a filter by those that are only renamed can use an index.
SHARED_FIELDS = {
    OWNER_ID.name: "$user_id",
    BASE_MODEL_ID.name: "$base_model_id",
    IS_ACTIVE.name: "$is_active",
    CAPABILITIES.name: mapped(
        filtered({"$objectToArray": object_or_none("$meta.capabilities")}, {"$eq": ["$$this.v", True]}), "$$this.k"
    ),
    PROMPT_LENGTH.name: {
        "$cond": [{"$eq": [{"$type": "$params.system"}, "string"]}, {"$strLenCP": text_or("$params.system", "")}, None]
    },
}
