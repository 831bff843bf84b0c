columns = {"model_id": 1, "model_name": 1, "permission": 1}
rows = list(db.effective_access.find({"user_id": "u-tomas"}, columns).sort({"model_id": 1}))
