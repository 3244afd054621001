"""Which part of the variance comes from where: parameters, model form, missing data, shared and individual chance.

| file | idea |
|---|---|
| `sets` | what is known of every parameter set: its mean, the noise in it, the variance of chance |
| `exact` | that, in closed form through the expected engine |
| `nested` | that, from the replicates of a nested run |
| `choices` | the categorical parameters of a scenario: model form and missing data |
| `parts` | from parameter sets to parts of the variance, with bootstrap intervals |
| `split` | `split_variance`: a results file to shares |
| `inner_size` | how many replicates per parameter set are best |
| `rendering`, `figure` | tables for a terminal, stacked bars |
| `command_line` | the verb `simcore variance` |

The mathematics are in docs/uncertainty_split.md.
"""
