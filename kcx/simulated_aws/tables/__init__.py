"""Small billing tables of each family, the same for the same seed, as Arrow tables and as file bytes."""
