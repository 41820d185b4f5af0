-- One row: the parameters of the IHC model that were chosen for this database. None before.
SELECT name, parameters, hash, origin, chosen_at
FROM chosen_parameters
ORDER BY name
