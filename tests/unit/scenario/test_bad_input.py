"""Every mistake gets one line: file, line, key, value or limit, nearest match."""

# One row per case reads better than folded rows.
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simcore.errors import ScenarioError
from simcore.scenario import load_scenario

Spoil = Callable[..., Path]

TRIANGLE = 'family = "triangular", min = 0.0, mode = 0.02, max = 0.05'

# (text of river.toml, what it becomes, key in the message, further words in the message)
SPOILED: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "unknown top key": ("exposure_years = 0.5", "exposure_yeers = 1", "exposure_yeers", ("unknown key", "'exposure_years'")),
    "zero years": ("exposure_years = 0.5", "exposure_years = 0", "exposure_years", ("above 0", "got 0")),
    "boolean number": ("exposure_years = 0.5", "exposure_years = true", "exposure_years", ("a number", "got true")),
    "nan": ("exposure_years = 0.5", "exposure_years = nan", "exposure_years", ("finite", "got nan")),
    "half a year": ("cohort_year = 2011", "cohort_year = 2011.5", "cohort_year", ("whole number", "2011.5")),
    "year as text": ("cohort_year = 2011", 'cohort_year = "2011"', "cohort_year", ("whole number", "'2011'")),
    "other version": ("schema_version = 1", "schema_version = 2", "schema_version", ("must be 1", "got 2")),
    "comma in name": ('name = "river"', 'name = "ri,ver"', "name", ("'ri,ver'", "letters")),
    "slash in level": ('m = { label = "men" }', '"m/n" = {}', 'strata.sex."m/n"', ("'/'", "not allowed")),
    "key in level": ('m = { label = "men" }', "m = { lable = 1 }", "strata.sex.m.lable", ("unknown key", "'label'")),
    "text for table": ('m = { label = "men" }', 'm = "men"', "strata.sex.m", ("must be a table", "'men'")),
    "overlapping bands": ("grown = { from = 18", "grown = { from = 17", "strata.age_band.grown", ("young", "age 17")),
    "band backwards": ("from = 18, to = 44", "from = 18, to = 8", "strata.age_band.grown.to", ("below from (18)", "got 8")),
    "group member": ('"young", "grown"]', '"young", "growm"]', "groups.age_band.working[1]", ("'growm'", "'grown'")),
    "group like level": ("working = [", "young = [", "groups.age_band.young", ("is a level",)),
    "table outside": ('"river_sources.csv"', '"../x.csv"', "sources.table", ("folder", "'../x.csv'")),
    "absolute table": ('"river_sources.csv"', '"/etc/passwd"', "sources.table", ("folder", "'/etc/passwd'")),
    "absent table": ('"river_sources.csv"', '"river_source.csv"', "sources.table", ("no such file", "'river_sources.csv'")),
    "folder as table": ('"river_population.csv"', '"."', "population.table", ("not a regular file",)),
    "no population": ('table = "river_population.csv"', "", "population", ("table and cells", "neither")),
    "at-risk model": ('model = "expert"', 'model = "exprt"', "at_risk.model", ("'exprt'", "'expert'")),
    "active axis": ('{ age_band = "working" }', '{ age_bnd = "x" }', "at_risk.active.age_bnd", ("'age_band'",)),
    "active level": ('{ age_band = "working" }', '{ age_band = "workin" }', "at_risk.active.age_band", ("'working'",)),
    "active events": ('{ age_band = "working" }', '{ exploitation = "farm" }', "at_risk.active.exploitation", ("origin",)),
    "at-risk key": ("active = {", "activ = {", "at_risk.activ", ("unknown key", "'active'")),
    "share parameter": ('"share_women"', '"share_woman"', "at_risk.expert.shares.women.parameter", ("'share_women'",)),
    "share key": ('parameter = "share_women"', 'parametr = "x"', "at_risk.expert.shares.women.parametr", ("'parameter'",)),
    "two rules": (
        "[at_risk.expert.shares.men]",
        '[at_risk.expert.shares.men]\nwhere = { sex = "w" }',
        "at_risk.expert.shares.men",
        ("sex = 'w'", "'women'", "only one"),
    ),
    "two fallbacks": (
        '[at_risk.expert.shares.women]\nwhere = { sex = "w" }',
        "[at_risk.expert.shares.women]",
        "at_risk.expert.shares.men",
        ("no 'where'", "'women'"),
    ),
    "no rule": ("[event.hazards.all]", '[event.hazards.all]\nwhere = { age_band = "young" }', "event.hazards", ("'grown'",)),
    "effect axis": ('index = ["origin"]\nstandard', 'index = ["origins"]\nstandard', "event.shared_effects.drought.index[0]", ("'origin'",)),
    "bound": ('bound = "across"', 'bound = "acros"', "destinations.bound", ("unknown destination", "'across'")),
    "arrival": ('arrival = "on the far bank"', 'arrival = "on the far bnk"', "outcomes.arrival", ("'on the far bank'",)),
    "interception level": ('interception = "turned back"', 'interception = "drowned"', "outcomes.interception", ("levels",)),
    "no attempts": ("attempt_cap = 4", "attempt_cap = 0", "transit.attempt_cap", ("at least 1", "got 0")),
    "many attempts": ("attempt_cap = 4", "attempt_cap = 1001", "transit.attempt_cap", ("at most 1000", "got 1001")),
    "border point": ('arrival_point = "far_bank"', 'arrival_point = "farbank"', "transit.arrival_point", ("'far_bank'",)),
    "reserved point": ('landing = { label = "the landing" }', "rest = {}", "transit.points.rest", ("meaning of its own",)),
    "leg to nowhere": ('village"\nto = "landing"', 'village"\nto = "landin"', "transit.legs.road.to", ("unknown point 'landin'", "'landing'")),
    "leg to itself": ('village"\nto = "landing"', 'village"\nto = "village"', "transit.legs.road.to", ("cycle", "village -> village")),
    "cycle": (
        '[transit.legs.swim]\nfrom = "landing"\nto = "far_bank"',
        '[transit.legs.swim]\nfrom = "landing"\nto = "village"',
        "transit.legs.swim",
        ("a cycle within an attempt", "village -> landing -> village", "road, swim"),
    ),
    "unreachable border": (
        'from = "village"\nto = "landing"',
        'from = "landing"\nto = "far_bank"',
        "transit.points.village",
        ("'far_bank' cannot be reached", "origin = 'highlands'"),
    ),
    "return point": ('returned_to = "landing"', 'returned_to = "landng"', "transit.legs.swim.returned_to", ("'landing'",)),
    "return to border": ('returned_to = "landing"', 'returned_to = "far_bank"', "transit.legs.swim.returned_to", ("arrival point",)),
    "no return": ('returned_to = "landing"\n', "", "transit.legs.swim.returned_to", ("missing key", "'turned back'")),
    "entry at border": ('point = "landing"', 'point = "far_bank"', "transit.entry.default.point", ("cannot begin",)),
    "no branches": ('shares = { ferry = "ferry_share", swim = "rest" }', 'leg = "road"', "transit.branches.landing.all.leg", ("'road'", "ferry, swim")),
    "unknown share": ('ferry = "ferry_share"', 'ferry = "fery_share"', "transit.branches.landing.all.shares.ferry", ("unknown parameter", "'ferry_share'")),
    "unknown shares": ('{ ferry = "ferry_share", swim = "rest" }', '"way_uot"', "transit.branches.landing.all.shares", ("unknown parameter", "'way_out'")),
    "unknown split": ('split = "swim_split"', 'split = "swm_split"', "transit.legs.swim.split", ("unknown parameter", "'swim_split'")),
    "unknown branch": ('swim = "rest"', 'swimm = "rest"', "transit.branches.landing.all.shares.swimm", ("'swim'",)),
    "no rest": ('swim = "rest"', 'swim = "ferry_share"', "transit.branches.landing.all.shares", ("exactly one", "got 0")),
    "number as share": ('swim = "rest"', "swim = 3", "transit.branches.landing.all.shares.swim", ("must be text", "got 3")),
    "scalar for shares": ('{ ferry = "ferry_share", swim = "rest" }', '"ferry_share"', "transit.branches.landing.all.shares", ("'ferry_share'", "beta")),
    "foreign simplex": ('{ ferry = "ferry_share", swim = "rest" }', '"way_out"', "parameters.way_out.distribution.means.across", ("ferry, swim",)),
    "cause": ('drowned = "drowned" }', 'drownd = "drowned" }', "transit.legs.ferry.net.drownd", ("unknown cause", "'drowned'")),
    "two levels": ('drowned = "drowned" }', 'drowned = "drowned[a,b]" }', "transit.legs.ferry.net.drowned", ("2 levels", "leg")),
    "element": ('drowned = "drowned" }', 'drowned = "drowned[fery]" }', "transit.legs.ferry.net.drowned", ("unknown leg", "'ferry'")),
    "open bracket": ('drowned = "drowned" }', 'drowned = "drowned[a" }', "transit.legs.ferry.net.drowned", ("'drowned[a'",)),
    "shares for probability": ('drowned = "drowned" }', 'drowned = "way_out" }', "transit.legs.ferry.net.drowned", ("vector of shares",)),
    "net and split": ('split = "swim_split"', 'split = "swim_split"\nnet = {}', "transit.legs.swim", ("net and split", "both")),
    "modifier cause": ('causes = ["turned back"]', 'causes = ["turned bck"]', "transit.modifiers.guards.causes[0]", ("'turned back'",)),
    "modifier leg": ('legs = ["ferry"]', 'legs = ["fery"]', "transit.modifiers.guards.legs[0]", ("unknown leg", "'ferry'")),
    "no re-attempt": ('[transit.reattempt.all]\nprobability = "again"', "", "transit.reattempt", ("missing key",)),
    "gsd below one": ("gsd = 1.02", "gsd = 0.9", "parameters.count_factor.distribution.gsd", ("at least 1", "got 0.9")),
    "half a lognormal": (", gsd = 1.02", "", "parameters.count_factor.distribution", ("median and gsd", "got median")),
    "too much lognormal": ("gsd = 1.02", "gsd = 1.02, mu = 0", "parameters.count_factor.distribution", ("mu and sigma",)),
    "mode outside": ("mode = 0.04", "mode = 0.4", "parameters.share_women.distribution.mode", ("0.01", "0.1", "got 0.4")),
    "share above one": ("mode = 0.04, max = 0.10", "mode = 0.04, max = 1.10", "parameters.share_women.distribution.max", ("probability", "0 to 1", "1.1")),
    "family key": ("mode = 0.04", "mod = 0.04", "parameters.share_women.distribution.mod", ("unknown key", "'mode'")),
    "number as text": ("mode = 0.04", 'mode = "0.04"', "parameters.share_women.distribution.mode", ("a number", "'0.04'")),
    "no shape": ("mode = 0.04", "mode = 0.04, shape = 0", "parameters.share_women.distribution.shape", ("above 0", "got 0")),
    "truncated away": ("mode = 0.04", "mode = 0.04, lower = 0.2", "parameters.share_women.distribution.lower", ("ends at 0.1", "got 0.2")),
    "family": ('family = "triangular"', 'family = "triangle"', "parameters.share_men.distribution.family", ("'triangular'",)),
    "no family": ('family = "triangular", ', "", "parameters.share_men.distribution.family", ("missing key",)),
    "quantiles": ("q05 = 0.01, q95 = 0.10", "q05 = 0.1, q95 = 0.01", "parameters.deception_hazard.distribution.q95", ("q05 (0.1)", "0.01")),
    "no width": ("min = 0.5, max = 2.0", "min = 0.5, max = 0.5", "parameters.young_factor.distribution.max", ("above min (0.5)", "0.5")),
    "negative factor": ("min = 0.5, max = 2.0", "min = -0.5, max = 2.0", "parameters.young_factor.distribution.min", ("factor", "-0.5")),
    "negative spread": ("scale = 0.3", "scale = -0.3", "parameters.drought_sd.distribution.scale", ("at least 0", "-0.3")),
    "sum of means": ("inland = 0.6", "inland = 0.7", "parameters.way_out.distribution.means", ("sum to 1", "got 1.1")),
    "component": ("inland = 0.6", "inlnd = 0.6", "parameters.way_out.distribution.means.inlnd", ("'inland'", "destinations.split")),
    "zero mean": ("inland = 0.6", "inland = 0.0", "parameters.way_out.distribution.means.inland", ("above 0", "got 0.0")),
    "no concentration": ("concentration = 20", "concentration = 0", "parameters.way_out.distribution.concentration", ("above 0",)),
    "negative sd": ("sd = 0.2", "sd = -1", "parameters.wariness.distribution.sd", ("at least 0", "got -1")),
    "beta of zero": ("alpha = 6, beta = 4", "alpha = 6, beta = 0", "parameters.again.distribution.beta", ("above 0", "got 0")),
    "mixed beta": ("alpha = 6, beta = 4", "alpha = 6, size = 4", "parameters.again.distribution", ("alpha and beta", "alpha and size")),
    "mean of one": ("mean = 0.7, size", "mean = 1.0, size", "parameters.ferry_share.distribution.mean", ("below 1", "got 1.0")),
    "unbounded": (", upper = 1 }", " }", "parameters.drowned.distribution", ("lognormal", "inf", "upper = 1")),
    "no continuation": ("CONTINUE = 12, ", "", "parameters.swim_split.distribution.alpha.CONTINUE", ("missing key", "swim.split")),
    "negative fixed": ("value = 1 }", "value = -1 }", "parameters.guard_factor.distribution.value", ("0 or more", "-1")),
    "bare number": ('{ family = "fixed", value = 1 }', "1", "parameters.guard_factor.distribution", ("must be a table", "got 1")),
    "source": ('source = "census"', 'source = "cenus"', "parameters.count_factor.source", ("unknown source", "'census'")),
    "no source": ('source = "ledger"\n', "", "parameters.checked_on_ferry.source", ("missing key", "measured")),
    "grade": ('grade = "elicited"', 'grade = "elicted"', "parameters.way_out.grade", ("'elicited'",)),
    "index axis": ('index = ["leg"]', 'index = ["legs"]', "parameters.drowned.index[0]", ("'leg'",)),
    "index without level": ('index = ["origin"]\nsource', 'index = ["leg"]\nsource', "population.factor", ("indexed by 'leg'",)),
    "axis twice": ('by = ["origin", "age_band"]', 'by = ["origin", "origin"]', "store.by", ("listed twice",)),
    "text for list": ('by = ["origin", "age_band"]', 'by = "origin"', "store.by", ("must be a list", "'origin'")),
    "rule name": ("[transit.modifiers.guards]", '[transit.modifiers."gu,ards"]', 'transit.modifiers."gu,ards"', ("not a name",)),
    "odds ratio": ('farm = { label = "farm work" }', "farm = {}\ntrade = {}", "at_risk.odds_ratio", ("missing key", "2 exploitation")),
    "risk bits": ('farm = { label = "farm work" }', "a = {}\nb = {}\nc = {}\nd = {}\ne = {}", "strata.exploitation", ("5 levels", "limit 4")),
    "combined level": (
        'farm = { label = "farm work" }',
        'farm = {}\nboth = { combines = ["farm", "fram"], share = "again" }',
        "strata.exploitation.both.combines",
        ("'fram'", "'farm'"),
    ),
    "combined with one": (
        'farm = { label = "farm work" }',
        'farm = {}\nboth = { combines = ["farm"], share = "again" }',
        "strata.exploitation.both.combines",
        ("at least 2",),
    ),
    # families by quantiles, tables, pools, categories
    'fit out of order': (TRIANGLE, 'family = "beta", quantiles = { q05 = 0.1, q50 = 0.05 }', 'parameters.share_men.distribution.quantiles.q50', ('above q05 (0.1)', 'got 0.05')),
    'equal quantiles': (TRIANGLE, 'family = "gamma", quantiles = { q05 = 0.1, q95 = 0.1 }', 'parameters.share_men.distribution.quantiles.q95', ('above q05 (0.1)', 'got 0.1')),
    'one quantile': (TRIANGLE, 'family = "normal", quantiles = { q05 = 0.1 }', 'parameters.share_men.distribution.quantiles', ('at least 2 quantiles', 'got 1')),
    'quantile name': (TRIANGLE, 'family = "normal", quantiles = { q5 = 0.1, q95 = 1 }', 'parameters.share_men.distribution.quantiles.q5', ('not a quantile', "'q5'", 'q05')),
    'quantile of nothing': (TRIANGLE, 'family = "normal", quantiles = { q00 = 0.1, q95 = 1 }', 'parameters.share_men.distribution.quantiles.q00', ('not a quantile', 'between q00 and q100')),
    'quantile of too much': (TRIANGLE, 'family = "normal", quantiles = { q05 = 0.1, q100 = 1 }', 'parameters.share_men.distribution.quantiles.q100', ('not a quantile', "'q100'")),
    'quantile twice': (TRIANGLE, 'family = "normal", quantiles = { q05 = 0.1, "q05.0" = 1 }', 'parameters.share_men.distribution.quantiles."q05.0"', ('the same quantile as q05',)),
    'unquoted decimals': (TRIANGLE, 'family = "normal", quantiles = { q02.5 = 0.1, q95 = 1 }', 'parameters.share_men.distribution.quantiles', ('in quotes', 'q02.5')),
    'quantile above one': (TRIANGLE, 'family = "beta", quantiles = { q05 = 0.1, q95 = 1.5 }', 'parameters.share_men.distribution.quantiles.q95', ('below 1', 'got 1.5')),
    'negative quantile': (TRIANGLE, 'family = "lognormal", quantiles = { q05 = -0.1, q95 = 1.5 }', 'parameters.share_men.distribution.quantiles.q05', ('above 0', 'got -0.1')),
    'fit and shape': (TRIANGLE, 'family = "beta", alpha = 2, quantiles = { q05 = 0.1, q95 = 0.5 }', 'parameters.share_men.distribution', ('alpha and beta', 'quantiles', 'got alpha and quantiles')),
    'half a gamma': (TRIANGLE, 'family = "gamma", shape = 2', 'parameters.share_men.distribution', ('shape and scale', 'mean and cv', 'got shape')),
    'gamma of zero': (TRIANGLE, 'family = "gamma", shape = 0, scale = 1', 'parameters.share_men.distribution.shape', ('above 0', 'got 0')),
    'metalog of two': (TRIANGLE, 'family = "metalog", quantiles = { q05 = 0.1, q95 = 0.5 }', 'parameters.share_men.distribution.quantiles', ('at least 3', 'got 2')),
    'metalog falls': (TRIANGLE, 'family = "metalog", quantiles = { q05 = 0.1, q50 = 0.11, q95 = 0.5 }', 'parameters.share_men.distribution.quantiles', ('no distribution', 'falls at probability', 'empirical')),
    'metalog outside': (TRIANGLE, 'family = "metalog", lower_bound = 0.2, quantiles = { q05 = 0.1, q50 = 0.3, q95 = 0.5 }', 'parameters.share_men.distribution.quantiles.q05', ('above 0.2', 'got 0.1')),
    'metalog bounds': (TRIANGLE, 'family = "metalog", lower_bound = 0.2, upper_bound = 0.1, quantiles = { q05 = 0.1, q50 = 0.3, q95 = 0.5 }', 'parameters.share_men.distribution.upper_bound', ('above lower_bound (0.2)', 'got 0.1')),
    'metalog terms': (TRIANGLE, 'family = "metalog", terms = 4, quantiles = { q05 = 0.1, q50 = 0.3, q95 = 0.5 }', 'parameters.share_men.distribution.terms', ('between 2 and 3', 'got 4')),
    'table out of order': (TRIANGLE, 'family = "empirical", probabilities = [0, 0.5, 1], quantiles = [0, 0.3, 0.2]', 'parameters.share_men.distribution.quantiles', ('[2]', '[1] (0.3)', 'got 0.2')),
    'probabilities out of order': (TRIANGLE, 'family = "empirical", probabilities = [0, 0.5, 0.5, 1], quantiles = [0, 0.1, 0.2, 0.3]', 'parameters.share_men.distribution.probabilities', ('[2]', 'above [1] (0.5)', 'got 0.5')),
    'probabilities begin late': (TRIANGLE, 'family = "empirical", probabilities = [0.1, 1], quantiles = [0, 0.2]', 'parameters.share_men.distribution.probabilities', ('[0]', 'must be 0', 'got 0.1')),
    'probabilities end early': (TRIANGLE, 'family = "empirical", probabilities = [0, 0.9], quantiles = [0, 0.2]', 'parameters.share_men.distribution.probabilities', ('[1]', 'must be 1', 'got 0.9')),
    'table of two lengths': (TRIANGLE, 'family = "empirical", probabilities = [0, 1], quantiles = [0, 0.1, 0.2]', 'parameters.share_men.distribution.quantiles', ('as many as probabilities (2)', 'got 3')),
    'interpolation': (TRIANGLE, 'family = "empirical", interpolation = "cubic", probabilities = [0, 1], quantiles = [0, 1]', 'parameters.share_men.distribution.interpolation', ("'cubic'", 'pchip, linear')),
    'expert without weight': (TRIANGLE, 'family = "pool", experts = { ana = { weight = 0, distribution = { family = "beta", alpha = 1, beta = 2 } } }', 'parameters.share_men.distribution.experts.ana.weight', ('above 0', 'got 0')),
    'expert of shares': (TRIANGLE, 'family = "pool", experts = { ana = { weight = 1, distribution = { family = "dirichlet", alpha = { a = 1, b = 2 } } } }', 'parameters.share_men.distribution.experts.ana.distribution.family', ("'dirichlet' is not one of", 'uniform')),
    'pool of pools': (TRIANGLE, 'family = "pool", experts = { ana = { weight = 1, distribution = { family = "pool" } } }', 'parameters.share_men.distribution.experts.ana.distribution.family', ("'pool' is not one of",)),
    'certain expert': (TRIANGLE, 'family = "pool", experts = { ana = { weight = 1, distribution = { family = "normal", mean = 1, sd = 0 } } }', 'parameters.share_men.distribution.experts.ana.distribution', ('must leave a range', 'value 1')),
    "expert's key": (TRIANGLE, 'family = "pool", experts = { ana = { weigth = 1, distribution = { family = "normal", mean = 1, sd = 1 } } }', 'parameters.share_men.distribution.experts.ana.weigth', ('unknown key', "'weight'")),
    'no experts': (TRIANGLE, 'family = "pool", experts = {}', 'parameters.share_men.distribution.experts', ('at least 1',)),
    'weight of a category': (TRIANGLE, 'family = "categorical", weights = { a = 1, b = 0 }', 'parameters.share_men.distribution.weights.b', ('above 0', 'got 0')),
    'numbers backwards': (TRIANGLE, 'family = "discrete_uniform", min = 3, max = 2', 'parameters.share_men.distribution.max', ('below min (3)', 'got 2')),
    'half a number': (TRIANGLE, 'family = "discrete_uniform", min = 1, max = 2.5', 'parameters.share_men.distribution.max', ('whole number', '2.5')),
    'choice for a share': (TRIANGLE, 'family = "discrete_uniform", min = 0, max = 1', 'at_risk.expert.shares.men.parameter', ('a choice (discrete_uniform)', 'a quantity (a probability)')),
    'interval of nothing': ('concentration = 20 }', 'interval = { component = "over", q05 = 0.1, q95 = 0.5 } }', 'parameters.way_out.distribution.interval.component', ("'over'", 'across, inland')),
    'interval backwards': ('concentration = 20 }', 'interval = { component = "across", q05 = 0.5, q95 = 0.1 } }', 'parameters.way_out.distribution.interval.q95', ('above q05 (0.5)', 'got 0.1')),
    'interval of one': ('concentration = 20 }', 'interval = { component = "across", q05 = 0.5 } }', 'parameters.way_out.distribution.interval', ('at least 2', 'got 1')),
    'interval above one': ('concentration = 20 }', 'interval = { component = "across", q05 = 0.5, q95 = 1.5 } }', 'parameters.way_out.distribution.interval.q95', ('between 0 and 1', 'got 1.5')),
    "no title": ('title = "Two valleys and a river: an invented corridor for tests"\n', "", "title", ("missing key",)),
    "parameter called rest": ("[parameters.guard_factor]", "[parameters.rest]", "parameters.rest", ("meaning of its own",)),
    "name with line break": ("[parameters.guard_factor]", '[parameters."a\\nb"]', 'parameters."a\\nb"', ("not a name",)),
}  # fmt: skip

HAS_NO_LINE = {"no title"}


def message(path: Path, *settings: str) -> str:
    """Return the message of the error that loading must end in."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path, settings=settings)
    return str(caught.value)


@pytest.mark.parametrize("case", SPOILED)
def test_mistake_in_file(case: str, spoil: Spoil, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, key, words = SPOILED[case]
    path = spoil(old, new)
    monkeypatch.chdir(path.parent)
    text = message(path)
    place, _, rest = text.partition(f": {key}: ")
    assert rest, f"the key {key} is not in: {text}"
    file, _, line = place.partition(":")
    assert file == "river.toml"
    assert "\n" not in text
    for word in words:
        assert word in rest
    if case in HAS_NO_LINE:
        assert line == ""
    else:
        written = path.read_text().splitlines()[int(line) - 1]
        last = key.rpartition(".")[2].partition("[")[0]
        assert last in written or "missing key" in text


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("cohort_year = 2011", "cohort_year =", 6, "Invalid value"),
        ("[store]", "[store]\n[store]", 217, "twice"),
        ("[store]", "[store", 216, "not TOML"),
    ],
)
def test_not_toml(old: str, new: str, line: int, words: str, spoil: Spoil) -> None:
    text = message(spoil(old, new))
    assert f"river.toml:{line}: not TOML: " in text
    assert words in text
    assert "\n" not in text


def test_several_mistakes_are_counted(spoil: Spoil) -> None:
    spoil("exposure_years = 0.5", "exposure_years = -1")
    text = message(spoil("attempt_cap = 4", "attempt_cap = 0"))
    assert "exposure_years: must be above 0, got -1" in text
    assert text.endswith("(and 1 more)")


def test_deep_nesting_is_an_error(river_copy: Path) -> None:
    river_copy.write_text("x = " + "[" * 5000 + "]" * 5000)
    assert "nested too deeply" in message(river_copy)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe", "not UTF-8"), (b"#" * (4 * 2**20 + 1), "limit 4194304")],
)
def test_unreadable_file(content: bytes, words: str, river_copy: Path) -> None:
    river_copy.write_bytes(content)
    assert words in message(river_copy)


def test_absent_file_and_folder(river_copy: Path) -> None:
    text = message(river_copy.with_name("rivr.toml"))
    assert "no such file; did you mean 'river.toml'?" in text
    folder = river_copy.with_name("folder.toml")
    folder.mkdir()
    assert "not a regular file" in message(folder)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["exposure_years"], ("--set exposure_years", "no '='")),
        (["a b=1"], ("--set a b=1", "'a b'")),
        (["title=word"], ("--set title=word", "title", "needs quotes")),
        (["exposure_yeers=1"], ("--set exposure_yeers=1", "exposure_yeers", "'exposure_years'")),
        (["parameters.again.distribution.value=0.1"], ("--set", "distribution.value", "unknown key", "alpha")),
        (["parameters.guard_factor.distribution.value=-2"], ("--set", "guard_factor", "0 or more", "-2")),
        (["transit.legs.road.net.drowned='drownd'"], ("--set", "transit.legs.road.net.drowned", "'drowned'")),
        (["cohort_year=1\nname='x'"], ("--set", "one line")),
    ],
)
def test_mistake_in_setting(settings: list[str], words: tuple[str, ...], river_copy: Path) -> None:
    text = message(river_copy, *settings)
    assert text.startswith("--set ")
    assert "\n" not in text
    for word in words:
        assert word in text


# (table, old text, new text, words in the message); the population of 2011 begins in line 104
TABLE_MISTAKES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "negative": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,10,14,2011,-", (":106: persons: must be at least 0, got -",)),
    "not a number": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,10,14,2011,x", (":106: persons: must be a finite number",)),
    "infinite": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,10,14,2011,1e999", (":106: persons", "finite")),
    "underscore": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,10,14,2011,1_", (":106: persons", "finite")),
    "overlap": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,9,14,2011,", (":106: age_lo: ages 9-14 are also in line 105",)),
    "backwards": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,10,4,2011,", (":106: age_hi: must not be below age_lo (10)",)),
    "old": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,10,414,2011,", (":106: age_hi: must be at most 150",)),
    "half an age": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,10.5,14,2011,", (":106: age_lo: must be a whole number, got 10.5",)),
    "no age": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,,14,2011,", (":106: age_lo: a missing cell",)),
    "gap": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,11,14,2011,", ("origin = 'highlands', sex = 'w', age_band = 'young'", "no persons of age 10")),
    "closed end": ("river_population.csv", "highlands,w,80,,2011,", "highlands,w,80,90,2011,", ("'old'", "no open-ended age group")),
    "long row": ("river_population.csv", "highlands,w,10,14,2011,", "highlands,w,w,10,14,2011,", (":106: 8 cells, the header has 7",)),
    "source": ("river_sources.csv", "census,", "censu,", ("river_population.csv:104: source_id: unknown source 'census'", "did you mean 'censu'?")),
    "source twice": ("river_sources.csv", "ledger,", "census,", (":3: source_id: 'census' is described twice",)),
    "nameless source": ("river_sources.csv", "ledger,", ",", (":3: source_id: a missing cell",)),
    "broken quote": ("river_sources.csv", '"Ledger', 'x"Led"ger "Ledger', (":3: ",)),
    "column": ("river_population.csv", ",persons,", ",people,", (":1: missing column 'persons'",)),
    "double column": ("river_population.csv", ",persons,", ",sex,", (":1: the column 'sex' exists twice",)),
    "no ages": ("river_population.csv", ",age_hi,", ",age_top,", (":1: needs either the column 'age_band'", "neither")),
    "no sources": ("river_population.csv", ",source_id", ",source", (":1: missing column 'source_id'",)),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE_MISTAKES)
def test_mistake_in_table(case: str, river_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, old, new, words = TABLE_MISTAKES[case]
    monkeypatch.chdir(river_copy.parent)
    table = river_copy.with_name(name)
    text = table.read_text()
    assert text.count(old) == 1
    table.write_text(text.replace(old, new))
    error = message(river_copy)
    assert (name in error) == (case != "source")
    assert "\n" not in error
    for word in words:
        assert word in error


def test_missing_cells(river_copy: Path) -> None:
    table = river_copy.with_name("river_population.csv")
    text = table.read_text()
    row = next(line for line in text.splitlines() if line.startswith("highlands,m,15,19,2011"))
    table.write_text(text.replace(row, row.replace(row.split(",")[5], "")))
    assert "sex = 'm', age_band = 'young': no number of persons aged 15-19" in message(river_copy)
    table.write_text(text.replace("highlands,m,", "highland,m,"))
    assert "no cell for origin = 'highlands', sex = 'm', age_band = 'young'" in message(river_copy)
    table.write_text(text.replace(",w,", ",v,"))
    assert "no cell for origin = 'highlands', sex = 'w'" in message(river_copy)
    table.write_text(text.replace("highlands,", "highland,"))
    assert message(river_copy).endswith("age_band = 'young'; did you mean 'highland'?")


def test_absent_year(river_copy: Path) -> None:
    text = message(river_copy, "population.year=2010")
    assert text.endswith("river_population.csv: no rows of the year 2010 (it has 2006, 2011)")


def test_table_behind_a_link_stays_outside(river_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "river_sources.csv"
    link = river_copy.with_name("river_sources.csv")
    link.rename(outside)
    link.symlink_to(outside)
    assert "sources.table: leads out of this file's folder" in message(river_copy)


def test_table_too_large(river_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simcore.scenario.tables.LARGEST_TABLE_BYTES", 10)
    assert "limit 10" in message(river_copy)


def test_shares_beside_the_rest(spoil: Spoil) -> None:
    spoil(
        "[transit.modifiers.guards]",
        '[transit.legs.raft]\nfrom = "landing"\nto = "far_bank"\nnet = {}\n[transit.modifiers.guards]',
    )
    path = spoil('swim = "rest" }', 'raft = "again", swim = "rest" }')
    assert "transit.branches.landing.all.shares: the 2 shares beside the rest can sum to 2, limit 1" in message(path)


def test_cells(fixtures: Path) -> None:
    tiny = fixtures / "tiny.toml"
    cell = 'origin="ONE",sex="all",age_band="all"'
    cases = {
        '[{origin="ON",sex="all",age_band="all",persons=1}]': "population.cells[0].origin: unknown level 'ON'; did you mean 'ONE'?",
        f"[{{{cell},persons=-1}}]": "population.cells[0].persons: must be at least 0, got -1",
        f"[{{{cell},persons=1}},{{{cell},persons=2}}]": "population.cells[1]: origin = 'ONE', sex = 'all', age_band = 'all' is given",
        "[]": "no cell for origin = 'ONE'",
        "3": "population.cells: must be a list, got 3",
    }  # fmt: skip
    for value, words in cases.items():
        assert words in message(tiny, f"population.cells={value}")
