// Tags that no active model has
db.tag_usage.find({ active_models: 0 }, { tag: 1, models: 1, last_used_at: 1 }).sort({ tag: 1 })
