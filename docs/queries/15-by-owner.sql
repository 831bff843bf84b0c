SELECT owner_id, any_value(owner_name) AS name, count(*) AS models
FROM 'models.parquet'
WHERE owner_is_active IS NOT NULL
GROUP BY owner_id
ORDER BY models DESC, owner_id
LIMIT 10;
