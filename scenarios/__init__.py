"""The shipped scenarios: `phase1` and its patches as TOML files, their tables in ``data/``.

Nothing is imported from here. The engine finds this package through the entry-point group ``simcore.scenarios`` and
takes every ``<name>.toml`` in it as the scenario ``<name>``; another package may add its own in the same way.
``docs/scenario_file.md`` describes the files, ``docs/data.md`` where their figures come from.
"""
