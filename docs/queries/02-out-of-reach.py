kept = {"_id": "$_id", "name": "$name", "updated_at": "$updated_at"}
row = {"_id": "$model._id", "name": "$model.name", "owner_id": "$_id", "updated_at": "$model.updated_at"}
rows = list(
    db.models_flat.aggregate(
        [
            {"$match": {"grants": 0}},
            {"$group": {"_id": "$owner_id", "model": {"$push": kept}}},
            {"$lookup": {"from": "people", "localField": "_id", "foreignField": "_id", "as": "owner"}},
            {"$match": {"owner.is_active": {"$ne": True}}},
            {"$unwind": "$model"},
            {"$project": row},
            {"$sort": {"_id": 1}},
        ]
    )
)
