"""Source zone: population -> at-risk pools -> trafficking events -> destinations (docs/model.md A, B, C1).

`compile` lays a scenario's source zone out as flat arrays (`SourcePlan`), `overlap` turns marginal at-risk shares into
risk classes, `events` turns hazards into event probabilities per class. The at-risk models are `expert`, `shares`,
`index`, `profile` and `mixed` (docs/at_risk_models.md); `at_risk` says what a model is to the engine.
"""
