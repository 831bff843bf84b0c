group = {"principal_type": "group", "principal_id": "g-engineering", "keys.readers": "group:g-engineering"}
columns = {"model_id": 1, "model_name": 1, "permission": 1}
rows = list(db.model_grants.find(group, columns).sort({"model_id": 1, "permission": 1}))
