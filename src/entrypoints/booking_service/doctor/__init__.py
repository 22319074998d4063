"""The checks of `booking doctor`: what the service needs, and what is wrong with it.

May import the settings, the composition root and the keys of booking_api.
"""
