// What is shared with each department
// Members also have access to what is shared with the groups above.
db.model_grants.aggregate([
  { $match: { principal_type: "group" } },
  {
    $group: {
      _id: "$principal_id",
      name: { $first: "$principal_name" },
      models: { $addToSet: "$model_id" },
      to_write: { $sum: { $cond: [{ $eq: ["$permission", "write"] }, 1, 0] } },
    },
  },
  { $project: { name: 1, models: { $size: "$models" }, to_write: 1 } },
  { $sort: { models: -1, _id: 1 } },
])
