"""The labels that mlpack puts on images."""

BUNDLE = "dev.mlpack.bundle"  # the digest of the bundle that the image was built from; marks an image as ours
CARD = "dev.mlpack.card"  # the card in brief, as JSON
CARD_DIGEST = "dev.mlpack.card.digest"
LOCK = "dev.mlpack.lock"
VERSION = "dev.mlpack.version"  # of mlpack
RUN = "dev.mlpack.run"  # of a container that mlpack started
MODEL = "dev.mlpack.model"  # of an image that holds nothing but a large model
