SELECT count(prompt_length) AS models,
       quantile_disc(prompt_length, 0.5) AS median,
       quantile_disc(prompt_length, 0.9) AS p90,
       quantile_disc(prompt_length, 0.99) AS p99,
       max(prompt_length) AS longest
FROM 'models.parquet';
