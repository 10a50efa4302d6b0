"""The main job, shown: a simulated AWS, several clients, an ingest, the admin and a worker."""
