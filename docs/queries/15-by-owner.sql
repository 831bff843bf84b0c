SELECT owner_id, any_value(owner_name) AS owner_name, count(*) AS models, count(*) FILTER (is_public) AS public
FROM 'models.parquet'
GROUP BY owner_id
ORDER BY models DESC, owner_id
LIMIT 10;
