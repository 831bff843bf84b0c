// Models whose base is not in the directory
// Reads the ids from `models`.
db.models_flat.aggregate([
  { $match: { base_model_id: { $ne: null } } },
  { $lookup: { from: "models", localField: "base_model_id", foreignField: "_id", as: "base" } },
  { $match: { base: [] } },
  { $project: { name: 1, base_model_id: 1, is_active: 1 } },
  { $sort: { base_model_id: 1, _id: 1 } },
])
