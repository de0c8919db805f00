"""Models over HTTP: FastAPI lives behind this door, and torch never comes in."""
