// The ten most shared models
db.models_flat
  .find({}, { name: 1, owner_name: 1, is_public: 1, grants: 1 })
  .sort({ grants: -1, _id: 1 })
  .limit(10)
