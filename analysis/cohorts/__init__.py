"""Several cohorts as one study: runs on the same random numbers in one folder, side by side (docs/evolving.md).

| file | idea |
|---|---|
| `members` | scenarios, or one scenario at several years -> the members of a study |
| `study` | the folder with its index: what is there, what is left to run |
| `comparison` | finished members side by side, differences from one to the next |
| `pairing` | two results files read as one, replicate by replicate |
| `rendering`, `figure` | tables for a terminal, intervals over the cohorts |
| `command_line` | the verb `simcore cohorts` |
"""
