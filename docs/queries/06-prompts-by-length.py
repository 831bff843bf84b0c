columns = {"name": 1, "prompt_length": 1}
rows = list(
    db.models_flat.find({"prompt_length": {"$ne": None}}, columns).sort({"prompt_length": -1, "_id": 1}).limit(10)
)
