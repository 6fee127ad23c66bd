"""Container registries: logins, images, referrers, Artifact Registry."""
