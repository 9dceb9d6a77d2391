"""The template language of skills: Jinja2's sandbox, narrowed to what a step needs and metered so that it ends soon.

Step prompts are data written by people and by models. Jinja2's own sandbox keeps a template away from Python's insides,
but not from using up the machine: loops inside loops, 'a' * 10**10, lists that double. Three things close that:

1. `syntax.py` checks the tree against a list of allowed nodes, filters, tests and methods; all else is refused by name
   before anything runs.
2. It then rewrites the tree so that loops, literals, comparisons, slices and method calls pass through the render's
   meter; `filters.py` and `sandbox.py` send every filter and binary operator through it too.
3. `meter.py` charges for what is touched and stops a render that has used up its allowance.

Values are JSON's. A dot looks a key up and nothing else, so `state.step.items` is the key `items`, and `value.items()`
is the method.
"""
