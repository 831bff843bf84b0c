columns = {"name": 1, "owner_name": 1, "is_public": 1, "grants": 1}
rows = list(db.models_flat.find({}, columns).sort({"grants": -1, "_id": 1}).limit(10))
