columns = {"name": 1, "size_bytes": 1, "params_bytes": 1, "meta_bytes": 1, "image_bytes": 1}
rows = list(db.models_flat.find({}, columns).sort({"size_bytes": -1, "_id": 1}).limit(10))
