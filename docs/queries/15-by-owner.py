public = {"$sum": {"$cond": ["$is_public", 1, 0]}}
rows = list(
    db.models_flat.aggregate(
        [
            {
                "$group": {
                    "_id": "$owner_id",
                    "owner_name": {"$first": "$owner_name"},
                    "models": {"$sum": 1},
                    "public": public,
                }
            },
            {"$sort": {"models": -1, "_id": 1}},
            {"$limit": 10},
        ]
    )
)
