columns = {"name": 1, "owner_name": 1, "updated_at": 1}
rows = list(db.models_flat.find({"is_active": False}, columns).sort({"updated_at": 1, "_id": 1}))
