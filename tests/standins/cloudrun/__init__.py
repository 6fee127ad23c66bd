"""Cloud Run and Artifact Registry made small: their real wire, over containers that really run. Never imports mlpack."""
