month = {"$dateTrunc": {"date": "$created_at", "unit": "month"}}
so_far = {"$sum": "$new", "window": {"documents": ["unbounded", "current"]}}
rows = list(
    db.models_flat.aggregate(
        [
            {"$group": {"_id": month, "new": {"$sum": 1}}},
            {"$setWindowFields": {"sortBy": {"_id": 1}, "output": {"total": so_far}}},
            {"$sort": {"_id": 1}},
        ]
    )
)
