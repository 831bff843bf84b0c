WITH used AS (SELECT _id, unnest(folded_tags) AS tag FROM 'models.parquet')
SELECT one.tag AS one, other.tag AS other, count(*) AS models
FROM used AS one JOIN used AS other ON one._id = other._id AND one.tag < other.tag
GROUP BY one.tag, other.tag
ORDER BY models DESC, one, other
LIMIT 20;
