-- The parameters of the IHC model that were chosen for this database: one row, or none.
SELECT name, parameters, hash, origin, chosen_at
FROM chosen_parameters
ORDER BY name
