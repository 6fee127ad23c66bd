"""The labels that mlpack puts on images and containers."""

BUNDLE = "dev.mlpack.bundle"  # the digest of the image's bundle; every image built by mlpack has it
CARD = "dev.mlpack.card"  # a summary of the card, as JSON
CARD_DIGEST = "dev.mlpack.card.digest"
LOCK = "dev.mlpack.lock"
VERSION = "dev.mlpack.version"  # of mlpack
RUN = "dev.mlpack.run"  # of a container that mlpack started
OWNER = "dev.mlpack.owner"  # of such a container: the process that started it, see engines/docker/owners.py
MODEL = "dev.mlpack.model"  # of an image that contains only a large model
