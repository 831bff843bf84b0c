SELECT _id, name, owner_name, updated_at
FROM 'models.parquet'
WHERE NOT is_active
ORDER BY updated_at, _id;
