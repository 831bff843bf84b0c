// Who can see a model, and why
db.effective_access_by_model
  .find({ model_id: "sql-tuning" }, { user_id: 1, user_name: 1, permission: 1, "paths.kind": 1, "paths.group_name": 1 })
  .sort({ user_id: 1 })
