// What is shared with one group or user
// `keys.readers` takes the filter to an index.
db.model_grants
  .find(
    { principal_type: "group", principal_id: "g-engineering", "keys.readers": "group:g-engineering" },
    { model_id: 1, model_name: 1, permission: 1 },
  )
  .sort({ model_id: 1, permission: 1 })
