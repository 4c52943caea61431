"""Fails at import, with a traceback that names the reason."""
raise RuntimeError("the settings are gone")
