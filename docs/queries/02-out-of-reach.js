// Models that are shared with nobody and whose owner does not exist or is inactive
// Only admins can access them. Each owner is looked up once.
db.models_flat.aggregate([
  { $match: { grants: 0 } },
  { $group: { _id: "$owner_id", model: { $push: { _id: "$_id", name: "$name", updated_at: "$updated_at" } } } },
  { $lookup: { from: "people", localField: "_id", foreignField: "_id", as: "owner" } },
  { $match: { "owner.is_active": { $ne: true } } },
  { $unwind: "$model" },
  { $project: { _id: "$model._id", name: "$model.name", owner_id: "$_id", updated_at: "$model.updated_at" } },
  { $sort: { _id: 1 } },
])
