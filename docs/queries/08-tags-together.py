rows = list(
    db.models_flat.aggregate(
        [
            {"$match": {"folded_tags.1": {"$exists": True}}},
            {"$project": {"one": "$folded_tags", "other": "$folded_tags"}},
            {"$unwind": "$one"},
            {"$unwind": "$other"},
            {"$match": {"$expr": {"$lt": ["$one", "$other"]}}},
            {"$group": {"_id": {"one": "$one", "other": "$other"}, "models": {"$sum": 1}}},
            {"$sort": {"models": -1, "_id": 1}},
            {"$limit": 20},
        ]
    )
)
