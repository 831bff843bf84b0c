// The longest prompts, and how they begin
// `models_flat` has the lengths too; the prompts are only in the collection `models`.
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
