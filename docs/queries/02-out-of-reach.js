// Models that are shared with nobody and whose owner does not exist or is inactive
// Only admins can access them. Reads `users`.
db.models_flat.aggregate([
  { $match: { grants: 0 } },
  { $lookup: { from: "users", localField: "owner_id", foreignField: "_id", as: "owner" } },
  { $match: { "owner.is_active": { $ne: true } } },
  { $project: { name: 1, owner_id: 1, updated_at: 1 } },
  { $sort: { _id: 1 } },
])
