"""What the notebooks teach, exported from their cells (`make export`)."""
