// Tags that are used together
// In the spelling of the models: `SQL` and `sql` count as two.
db.models_flat.aggregate([
  { $project: { one: "$tags", other: "$tags" } },
  { $unwind: "$one" },
  { $unwind: "$other" },
  { $match: { $expr: { $lt: ["$one", "$other"] } } },
  { $group: { _id: { one: "$one", other: "$other" }, models: { $sum: 1 } } },
  { $sort: { models: -1, _id: 1 } },
  { $limit: 20 },
])
