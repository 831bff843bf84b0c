from datetime import UTC, datetime, timedelta

since = datetime.now(UTC) - timedelta(days=30)
rows = list(db.daily_changes.find({"day": {"$gte": since}}).sort({"day": 1, "change": 1}))
