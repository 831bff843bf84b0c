// The longest prompts
db.models_flat
  .find({ prompt_length: { $ne: null } }, { name: 1, prompt_length: 1 })
  .sort({ prompt_length: -1, _id: 1 })
  .limit(10)
