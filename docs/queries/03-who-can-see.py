columns = {"user_id": 1, "user_name": 1, "permission": 1, "paths.kind": 1, "paths.group_name": 1}
rows = list(db.effective_access_by_model.find({"model_id": "sql-tuning"}, columns).sort({"user_id": 1}))
