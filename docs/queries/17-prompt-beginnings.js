// How the longest prompts begin
// Not for analysts: prompts are only in the collection `models`.
db.models.aggregate([
  { $match: { "params.system": { $type: "string", $not: { $type: "array" } } } },
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
