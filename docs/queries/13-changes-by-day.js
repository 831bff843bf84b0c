// Changes of the last 30 days, by day and kind
db.daily_changes.find({ day: { $gte: new Date(Date.now() - 30 * 86400000) } }).sort({ day: 1, change: 1 })
