// Median and percentiles of the lengths of prompts
// Half of the prompts, 90 % of them and so on are no longer than these. From MongoDB 7.0 on, `$median` and `$percentile` estimate the same in one `$group`; this form runs on 6.0.
db.models_flat.aggregate([
  { $match: { prompt_length: { $ne: null } } },
  { $group: { _id: "$prompt_length", models: { $sum: 1 } } },
  {
    $setWindowFields: {
      sortBy: { _id: 1 },
      output: {
        up_to: { $sum: "$models", window: { documents: ["unbounded", "current"] } },
        all: { $sum: "$models", window: { documents: ["unbounded", "unbounded"] } },
      },
    },
  },
  { $set: { percent: { $divide: [{ $multiply: [100, "$up_to"] }, "$all"] } } },
  {
    $group: {
      _id: null,
      models: { $max: "$all" },
      median: { $min: { $cond: [{ $gte: ["$percent", 50] }, "$_id", null] } },
      p90: { $min: { $cond: [{ $gte: ["$percent", 90] }, "$_id", null] } },
      p99: { $min: { $cond: [{ $gte: ["$percent", 99] }, "$_id", null] } },
      longest: { $max: "$_id" },
    },
  },
  { $unset: "_id" },
])
