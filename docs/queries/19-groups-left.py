left = {"principal_id": "u-tomas", "left_group_ids": {"$ne": []}}
rows = list(db.people_history.find(left, {"at": 1, "by": 1, "change": 1, "left_group_ids": 1}).sort({"number": -1}))
