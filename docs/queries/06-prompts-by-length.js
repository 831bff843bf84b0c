// The longest prompts, and how they begin
// Lengths are in `models_flat` too; what a prompt says is in the collection `models` alone.
db.models.aggregate([
  { $match: { "params.system": { $type: "string" } } },
  {
    $project: {
      name: 1,
      length: { $strLenCP: "$params.system" },
      beginning: { $substrCP: ["$params.system", 0, 60] },
    },
  },
  { $sort: { length: -1, _id: 1 } },
  { $limit: 10 },
])
