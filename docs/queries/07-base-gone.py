active = {"$sum": {"$cond": [{"$eq": ["$is_active", True]}, 1, 0]}}
rows = list(
    db.models_flat.aggregate(
        [
            {"$match": {"base_model_id": {"$ne": None}}},
            {"$group": {"_id": "$base_model_id", "models": {"$sum": 1}, "active": active}},
            {"$lookup": {"from": "models_flat", "localField": "_id", "foreignField": "_id", "as": "base"}},
            {"$match": {"base": []}},
            {"$project": {"models": 1, "active": 1}},
            {"$sort": {"models": -1, "_id": 1}},
        ]
    )
)
