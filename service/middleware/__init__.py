"""ASGI middleware around all routes; `service/app.py` puts it in order."""
