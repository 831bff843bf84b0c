SELECT _id, name, prompt_length
FROM 'models.parquet'
WHERE prompt_length IS NOT NULL
ORDER BY prompt_length DESC, _id
LIMIT 10;
