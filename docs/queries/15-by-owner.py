rows = list(db.people.find({"models": {"$gt": 0}}, {"name": 1, "models": 1}).sort({"models": -1, "_id": 1}).limit(10))
