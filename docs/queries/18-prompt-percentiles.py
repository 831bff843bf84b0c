up_to = {"$sum": "$models", "window": {"documents": ["unbounded", "current"]}}
in_all = {"$sum": "$models", "window": {"documents": ["unbounded", "unbounded"]}}
shares = {"median": 50, "p90": 90, "p99": 99}
found = {name: {"$min": {"$cond": [{"$gte": ["$percent", percent]}, "$_id", None]}} for name, percent in shares.items()}
rows = list(
    db.models_flat.aggregate(
        [
            {"$match": {"prompt_length": {"$ne": None}}},
            {"$group": {"_id": "$prompt_length", "models": {"$sum": 1}}},
            {"$setWindowFields": {"sortBy": {"_id": 1}, "output": {"up_to": up_to, "all": in_all}}},
            {"$set": {"percent": {"$divide": [{"$multiply": [100, "$up_to"]}, "$all"]}}},
            {"$group": {"_id": None, "models": {"$max": "$all"}, **found, "longest": {"$max": "$_id"}}},
            {"$unset": "_id"},
        ]
    )
)
