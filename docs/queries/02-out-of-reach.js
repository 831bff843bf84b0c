// Models that are shared with nobody and whose owner does not exist or is inactive
// Only admins can access them. The models and the people are read once each, and brought together by a group.
db.models_flat.aggregate([
  { $match: { grants: 0 } },
  { $group: { _id: "$owner_id", model: { $push: { _id: "$_id", name: "$name", updated_at: "$updated_at" } } } },
  { $unionWith: { coll: "people", pipeline: [{ $project: { is_active: { $eq: ["$is_active", true] } } }] } },
  { $group: { _id: "$_id", model: { $max: "$model" }, is_active: { $max: "$is_active" } } },
  { $match: { is_active: { $ne: true } } },
  { $unwind: "$model" },
  { $project: { _id: "$model._id", name: "$model.name", owner_id: "$_id", updated_at: "$model.updated_at" } },
  { $sort: { _id: 1 } },
])
