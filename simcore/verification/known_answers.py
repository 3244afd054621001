"""Known answers, as data: published vectors, closed forms, and fixtures worked out by path enumeration.

A quantity is written ``variable``, ``variable[label]`` or ``variable[label][exploitation]``; no label adds all up.
Decimal places say how exactly an answer is known: half a unit of the last one is the tolerance.
"""

from __future__ import annotations

PHILOX = (
    # counter, key (low word first), block; Random123 known-answer vectors for Philox4x32-10
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
)

# Four-node fixture with retry memory; everybody is bound, so counts per person are answers per bound person.
GOLDEN_MEANS = {
    "outcome[ARRIVED]": "0.511416",
    "outcome[RETURNED_FINAL]": "0.212236",
    "outcome[ASSISTED]": "0.064385",
    "outcome[ESCAPED]": "0.090255",
    "outcome[DIED]": "0.032192",
    "outcome[RETAINED]": "0.089516",
    "attempts[2]": "0.410800",
    "attempts[3]": "0.105493",
    "interceptions": "0.728528",
}
GOLDEN_VARIANCES = {"interceptions": "0.706246"}

# Whole chain: one cell, two exploitations, five legs, three attempts.
TINY_MEANS = {
    "at_risk": "7510.32793390",
    "at_risk[both]": "489.67206610",
    "victims[][S]": "229.73749853",
    "victims[][L]": "242.93023603",
    "victims": "472.66773456",
    "destination[US_SWB][S]": "68.92124956",
    "destination[US_SWB][L]": "72.87907081",
    "destination[US_SWB]": "141.80032037",
    "reached[HUB]": "101.34828386",
    "reached[NORTH]": "124.70423609",
    "visits[HUB]": "124.63960185",
    "visits[NORTH]": "146.36846162",
    "attempts": "185.08906265",
    "interceptions": "67.22282441",
    "outcome[ARRIVED_US][S]": "49.78679576",
    "outcome[ARRIVED_US][L]": "50.67570054",
    "outcome[ARRIVED_US]": "100.46249630",
    "outcome[RETURNED_FINAL]": "23.93408212",
    "outcome[ASSISTED]": "3.61793489",
    "outcome[ESCAPED]": "6.70199935",
    "outcome[DIED]": "0.88885225",
    "outcome[RETAINED]": "6.19495547",
}
TINY_VARIANCES = {
    "at_risk": "6946.27767715",
    "at_risk[both]": "487.27427878",
    "victims[][S]": "229.20970535",
    "victims[][L]": "242.34008503",
    "victims": "470.43358669",
    "destination[US_SWB][S]": "68.87374817",
    "destination[US_SWB][L]": "72.82595722",
    "destination[US_SWB]": "141.59924706",
    "reached[HUB]": "101.24556911",
    "reached[NORTH]": "124.54872462",
    "visits[HUB]": "176.10092714",
    "visits[NORTH]": "193.02575764",
    "attempts": "283.71172007",
    "interceptions": "99.32276485",
    "outcome[ARRIVED_US][S]": "49.76200851",
    "outcome[ARRIVED_US][L]": "50.65002027",
    "outcome[ARRIVED_US]": "100.36156917",
    "outcome[RETURNED_FINAL]": "23.92835372",
    "outcome[ASSISTED]": "3.61780399",
    "outcome[ESCAPED]": "6.70155018",
    "outcome[DIED]": "0.88884435",
    "outcome[RETAINED]": "6.19457169",
}
TINY_COVARIANCES = {
    ("victims[][S]", "victims[][L]"): "-0.55810185",
    ("victims[][S]", "outcome[ARRIVED_US][S]"): "49.67241682",
    ("outcome[ARRIVED_US][S]", "outcome[ARRIVED_US][L]"): "-0.02522981",
    ("at_risk", "outcome[ARRIVED_US]"): "92.91743337",
    ("destination[US_SWB]", "outcome[ARRIVED_US]"): "100.32004016",
    ("outcome[ARRIVED_US]", "outcome[RETURNED_FINAL]"): "-0.02404478",
    ("interceptions", "outcome[ARRIVED_US]"): "28.66901291",
    ("visits[NORTH]", "outcome[ARRIVED_US]"): "117.05340638",
    ("visits[NORTH]", "visits[HUB]"): "146.13116390",
}
# Per bound person: mean by exploitation S, L.
TINY_PER_BOUND = {
    "outcome[ARRIVED_US]": ("0.7223722158", "0.6953395533"),
    "outcome[RETURNED_FINAL]": ("0.1558135663", "0.1810563210"),
    "outcome[ASSISTED]": ("0.0253250747", "0.0256932350"),
    "outcome[ESCAPED]": ("0.0469160906", "0.0475923159"),
    "outcome[DIED]": ("0.0062577318", "0.0062783670"),
    "outcome[RETAINED]": ("0.0433153209", "0.0440402078"),
    "interceptions": ("0.4422783035", "0.5041289724"),
    "attempts": ("1.2864647373", "1.3230726514"),
    "attempts[2]": ("0.2475753039", "0.2748617200"),
    "attempts[3]": ("0.0388894333", "0.0482109314"),
    "visits[HUB]": ("0.8664396430", "0.8908387315"),
    "visits[NORTH]": ("1.0169957554", "1.0466083406"),
    "reached[HUB]": ("0.7112681053", "0.7179948466"),
    "reached[NORTH]": ("0.8794355031", "0.8794355031"),
}
TINY_PER_BOUND_VARIANCE = {
    "interceptions": ("0.4455076641", "0.5030167154"),
    "visits[NORTH]": ("0.2782107346", "0.3149125541"),
}
TINY_ATTEMPTS_OF_ARRIVED = ("1.2699996863", "1.3018039659")
# What the journey of a bound person collects: mean, variance, and mean of those who arrive, where known.
TINY_REWARDS = {
    "interceptions": (("0.4422783035", "0.5041289724"), ("0.4455076641", "0.5030167154"), None),
    "attempts": (("1.2864647373", "1.3230726514"), None, ("1.2699996863", "1.3018039659")),
    "days": (("19.0335086614", "20.1506998163"), None, ("18.7101914836", "19.6669389570")),
}
TINY_SOURCE = {  # per person of the cell
    "at_risk[both]": "0.0048967207",
    "at_risk[S_only]": "0.0251032793",
    "at_risk[L_only]": "0.0451032793",
    "at_risk": "0.0751032793",
    "victims[][S]": "0.0022973750",
    "victims[][L]": "0.0024293024",
}
# Continue, then the causes, of leg d for exploitation S at attempts 1 and 2.
TINY_LEG_D = {
    1: ("0.61167458", "0.33584901", "0.01049528", "0.02099056", "0.00524764", "0.01574292"),
    2: ("0.64899008", "0.29707918", "0.01078615", "0.02157230", "0.00539307", "0.01617922"),
}
TINY_NO_RETRY = ("0.5516561953", "0.5140440000")  # arrival per bound person with rho2 = 0
TINY_TARGETED = ("0.6688774354", "0.6305053397")  # hazard of interception times 1.5 on legs d and e
# Both event hazards times g: (g, mean, variance) of arrivals, then the split of variance over g equally likely.
TINY_TWO_POINT = (("0.5", "51.14334313", "51.11718672"), ("2.0", "193.91705918", "193.54102092"))
TINY_TWO_POINT_SPLIT = ("5096.08349882", "122.32910382", "5218.41260265", "0.97655818")

# One border: catch probability p, retry probability r, cap K (None: no cap that matters); arrival, catches, attempts.
REPEATED_TRIALS = (
    (0.4, 0.9, 5, "0.931831296", None, None),
    (0.4, 0.9, None, "0.9375000000", "0.6250000000", "1.5625000000"),
    (0.36, 0.9, None, "0.946746", "0.532544", "1.479290"),
)

# Gambler's walk on 0 to 4: start, expected visits of 1, 2 and 3, steps in all, ruined, arrived.
GAMBLER = (
    ("ONE", ("1.5", "1.0", "0.5"), "3.0", "0.75", "0.25"),
    ("TWO", ("1.0", "2.0", "1.0"), "4.0", "0.50", "0.50"),
    ("THREE", ("0.5", "1.0", "1.5"), "3.0", "0.25", "0.75"),
)

# A pool of 100,000 with p ~ Beta(2, 998): mean, variance, and the share of it that is from p.
BETA_BINOMIAL_SHAPES = (2.0, 998.0)
BETA_BINOMIAL = {"mean": "200.0", "variance": "20139.46", "share from p": "0.9901"}

# Plackett: marginals, odds ratio, P(both); the odds ratio of the result is checked as well.
OVERLAPS = ((0.03, 0.05, 4.0, "0.0048967207"), (0.2, 0.3, 1.0, "0.0600000000"))
