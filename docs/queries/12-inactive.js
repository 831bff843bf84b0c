// Inactive models, the longest untouched first
db.models_flat.find({ is_active: false }, { name: 1, owner_name: 1, updated_at: 1 }).sort({ updated_at: 1, _id: 1 })
