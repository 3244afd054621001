/* Binomial counts: inversion where few are expected, else transformed rejection (Hoermann 1993, algorithm BTRS). */
#include "random.h"

#include <math.h>

void seed_generator(generator *g, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        g->s[i] = z ^ (z >> 31);
    }
}

/* ln k! minus Stirling's main terms. */
static double stirling_rest(double k)
{
    static const double small[] = {
        0.08106146679532726, 0.04134069595540929, 0.02767792568499834, 0.02079067210376509, 0.01664469118982119,
        0.01387612882307075, 0.01189670994589177, 0.01041126526197209, 0.009255462182712733, 0.008330563433362871,
    };
    if (k < 10)
        return small[(int)k];
    const double square = (k + 1) * (k + 1);
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

/* One uniform against the cumulated masses. */
static int64_t by_inversion(generator *g, int64_t trials, double probability)
{
    const double odds = probability / (1.0 - probability);
    double mass = exp((double)trials * log1p(-probability));
    double uniform = next_uniform(g);
    for (int64_t k = 0; k < trials; k++) {
        if (uniform < mass)
            return k;
        uniform -= mass;
        mass *= odds * (double)(trials - k) / (double)(k + 1);
        if (k > 110) /* out there is less than rounding takes: the uniform fell beyond the last mass, draw another */
            return by_inversion(g, trials, probability);
    }
    return trials;
}

static int64_t by_rejection(generator *g, int64_t trials, double p)
{
    const double n = (double)trials, q = 1.0 - p, spread = sqrt(n * p * q);
    const double b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.01 * p;
    const double centre = n * p + 0.5, v_r = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spread;
    const double mode = floor((n + 1.0) * p);
    for (;;) {
        const double u = next_uniform(g) - 0.5, v = next_uniform(g), us = 0.5 - fabs(u);
        const double k = floor((2.0 * a / us + b) * u + centre);
        if (us >= 0.07 && v <= v_r)
            return (int64_t)k;
        if (k < 0.0 || k > n)
            continue;
        const double accept = (mode + 0.5) * log((mode + 1.0) / (p / q * (n - mode + 1.0)))
            + (n + 1.0) * log((n - mode + 1.0) / (n - k + 1.0))
            + (k + 0.5) * log(p / q * (n - k + 1.0) / (k + 1.0))
            + stirling_rest(mode) + stirling_rest(n - mode) - stirling_rest(k) - stirling_rest(n - k);
        if (log(v * alpha / (a / (us * us) + b)) <= accept)
            return (int64_t)k;
    }
}

int64_t draw_binomial(generator *g, int64_t trials, double probability)
{
    if (trials <= 0 || probability <= 0.0)
        return 0;
    if (probability >= 1.0)
        return trials;
    if (probability > 0.5)
        return trials - draw_binomial(g, trials, 1.0 - probability);
    if ((double)trials * probability < 10.0)
        return by_inversion(g, trials, probability);
    return by_rejection(g, trials, probability);
}
