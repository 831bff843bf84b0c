SELECT _id, name, size_bytes, params_bytes, meta_bytes, image_bytes
FROM 'models.parquet'
ORDER BY size_bytes DESC, _id
LIMIT 10;
