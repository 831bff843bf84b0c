SELECT _id, name, owner_name, is_public, grants
FROM 'models.parquet'
ORDER BY grants DESC, _id
LIMIT 10;
