"""Models over HTTP. FastAPI is imported here only; torch never is."""
