// Bases that are not in the directory, and how many models configure them
// `db.models_flat.find({ base_model_id: "…" })` lists the models of one, by an index.
db.models_flat.aggregate([
  { $match: { base_model_id: { $ne: null } } },
  {
    $group: {
      _id: "$base_model_id",
      models: { $sum: 1 },
      active: { $sum: { $cond: [{ $eq: ["$is_active", true] }, 1, 0] } },
    },
  },
  { $lookup: { from: "models_flat", localField: "_id", foreignField: "_id", as: "base" } },
  { $match: { base: [] } },
  { $project: { models: 1, active: 1 } },
  { $sort: { models: -1, _id: 1 } },
])
