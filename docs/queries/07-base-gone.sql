SELECT base_model_id, count(*) AS models, count(*) FILTER (is_active) AS active
FROM 'models.parquet'
WHERE base_model_id IS NOT NULL AND base_model_id NOT IN (SELECT _id FROM 'models.parquet')
GROUP BY base_model_id
ORDER BY models DESC, base_model_id;
