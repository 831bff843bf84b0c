SELECT _id, name, prompt_length AS length, left(params ->> '$.system', 60) AS beginning
FROM 'models.parquet'
WHERE prompt_length IS NOT NULL
ORDER BY length DESC, _id
LIMIT 10;
