"""The checks of `booking doctor`. May import the settings and the composition root."""
