-- One row per product with a view, an addition to the cart or a purchase from $first_day to $last_day: how many sessions did each; what was
-- bought most comes first.
SELECT
    product_id,
    max(name) AS name,
    sum(viewed) AS viewed,
    sum(added) AS added,
    sum(bought) AS bought,
    CAST(sum(bought) AS double) / nullif(sum(viewed), 0) AS conversion
FROM product_funnel
WHERE date BETWEEN $first_day AND $last_day
GROUP BY product_id
ORDER BY bought DESC, viewed DESC, name, product_id
