SELECT _id, name, owner_id, updated_at
FROM 'models.parquet'
WHERE grants = 0 AND owner_is_active IS NOT TRUE
ORDER BY _id;
