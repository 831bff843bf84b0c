kept = {"_id": "$_id", "name": "$name", "updated_at": "$updated_at"}
people = [{"$project": {"is_active": {"$eq": ["$is_active", True]}}}]
row = {"_id": "$model._id", "name": "$model.name", "owner_id": "$_id", "updated_at": "$model.updated_at"}
rows = list(
    db.models_flat.aggregate(
        [
            {"$match": {"grants": 0}},
            {"$group": {"_id": "$owner_id", "model": {"$push": kept}}},
            {"$unionWith": {"coll": "people", "pipeline": people}},
            {"$group": {"_id": "$_id", "model": {"$max": "$model"}, "is_active": {"$max": "$is_active"}}},
            {"$match": {"is_active": {"$ne": True}}},
            {"$unwind": "$model"},
            {"$project": row},
            {"$sort": {"_id": 1}},
        ]
    )
)
