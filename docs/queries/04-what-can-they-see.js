// What a user can see
db.effective_access
  .find({ user_id: "u-tomas" }, { model_id: 1, model_name: 1, permission: 1 })
  .sort({ model_id: 1 })
