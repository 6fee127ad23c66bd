"""Container registries: logins, reading images and attached documents, Artifact Registry."""
