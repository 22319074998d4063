"""Settings, the composition root and the long-running workers."""
