SELECT date_trunc('month', created_at AT TIME ZONE 'UTC') AS month,
       count(*) AS new,
       sum(count(*)) OVER (ORDER BY month) AS total
FROM 'models.parquet'
GROUP BY month
ORDER BY month;
