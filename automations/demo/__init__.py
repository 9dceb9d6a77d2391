"""The automations of `manage.py demo`, and the shop, the feed and the notice board that they look at."""
