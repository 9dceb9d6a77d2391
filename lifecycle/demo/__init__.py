"""A small made-up world for `manage.py demo`: what was asked in six weeks, and what people and bots did about it.

`courses` says what there was to do and how well it went, `history` turns that into reported runs, `world` puts people,
bots, skills and questions around them. All of it goes through the services. Every name in it is invented.
"""
