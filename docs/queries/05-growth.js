// Growth by month
// Counts the models that exist now; deletions are in `daily_changes`.
db.models_flat.aggregate([
  { $group: { _id: { $dateTrunc: { date: "$created_at", unit: "month" } }, new: { $sum: 1 } } },
  {
    $setWindowFields: {
      sortBy: { _id: 1 },
      output: { total: { $sum: "$new", window: { documents: ["unbounded", "current"] } } },
    },
  },
  { $sort: { _id: 1 } },
])
