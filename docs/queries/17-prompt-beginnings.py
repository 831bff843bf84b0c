prompt = "$params.system"
rows = list(
    db.models.aggregate(
        [
            {"$match": {"params.system": {"$type": "string", "$not": {"$type": "array"}}}},
            {"$project": {"name": 1, "length": {"$strLenCP": prompt}, "beginning": {"$substrCP": [prompt, 0, 60]}}},
            {"$sort": {"length": -1, "_id": 1}},
            {"$limit": 10},
        ]
    )
)
