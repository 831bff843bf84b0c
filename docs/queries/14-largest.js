// The largest records
db.models_flat
  .find({}, { name: 1, size_bytes: 1, params_bytes: 1, meta_bytes: 1, image_bytes: 1 })
  .sort({ size_bytes: -1, _id: 1 })
  .limit(10)
