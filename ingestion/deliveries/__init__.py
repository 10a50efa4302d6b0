"""Step 3's second half: manifests -> deliveries, once the listing has shown which manifests are new."""
