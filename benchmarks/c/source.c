/* Source zone of one cell: at-risk classes, victims and destinations as conditional binomials. */
#include <math.h>

#include "model.h"

/* P(neither, first, second, both) for two risks with an odds ratio (Plackett). */
static void risk_classes(double a, double b, double psi, double classes[4])
{
    const double u = 1.0 + (psi - 1.0) * (a + b);
    const double inside = u * u - 4.0 * psi * (psi - 1.0) * a * b;
    double both = 2.0 * psi * a * b / (u + sqrt(inside > 0.0 ? inside : 0.0));
    both = fmin(both, fmin(a, b));
    classes[0] = 1.0 - a - b + both;
    classes[1] = a - both;
    classes[2] = b - both;
    classes[3] = both;
}

static double hazard_of(const model *m, const double *theta, const double *scores, int64_t stratum)
{
    double hazard = m->hazard[stratum] >= 0 ? theta[m->hazard[stratum]] : 0.0;
    for (int64_t i = m->multiplier_start[stratum]; i < m->multiplier_start[stratum + 1]; i++)
        hazard *= theta[m->multipliers[i]];
    for (int64_t i = m->effect_start[stratum]; i < m->effect_start[stratum + 1]; i++)
        hazard *= exp(theta[m->effect_deviation[i]] * scores[m->effect_element[i]]);
    return hazard;
}

void draw_cell(const model *m, const double *theta, const double *shares, const double *scores, int64_t cell,
               generator *g, stored *s, int64_t row, int64_t rows, int64_t bound[2])
{
    const double factor = m->factor[cell] >= 0 ? theta[m->factor[cell]] : 1.0;
    int64_t left = (int64_t)rint(m->population[cell] * factor);
    const int64_t cell_place = m->cell_slot[cell] * rows + row;
    bound[0] = bound[1] = 0;
    s->persons[cell_place] += left;
    if (!m->active[cell] || left == 0)
        return;
    double classes[4];
    risk_classes(shares[0], shares[1], theta[m->odds_ratio[cell]], classes);
    const double hazards[2] = {hazard_of(m, theta, scores, 2 * cell), hazard_of(m, theta, scores, 2 * cell + 1)};
    int64_t victims[2] = {0, 0};
    double rest = 1.0;
    for (int risk = 1; risk < 4; risk++) {
        const int64_t members = draw_binomial(g, left, classes[risk] / rest);
        left -= members;
        rest -= classes[risk];
        s->at_risk[cell_place * 3 + risk - 1] += members;
        const double first = risk & 1 ? hazards[0] : 0.0, second = risk & 2 ? hazards[1] : 0.0;
        const double any = -expm1(-(first + second) * m->exposure_years);
        const int64_t events = draw_binomial(g, members, any);
        const int64_t of_first = draw_binomial(g, events, first + second > 0.0 ? first / (first + second) : 0.0);
        victims[0] += of_first;
        victims[1] += events - of_first;
    }
    for (int x = 0; x < 2; x++) {
        const int64_t stratum = 2 * cell + x, place = m->stratum_slot[stratum] * rows + row;
        s->victims[place] += victims[x];
        int64_t undecided = victims[x];
        double undivided = 1.0;
        for (int64_t d = 0; d < m->destinations && undecided > 0; d++) {
            const int64_t column = m->destination[stratum * m->destinations + d];
            const double share = column >= 0 ? theta[column] : 0.0;
            const bool last = d == m->destinations - 1;
            const int64_t drawn = last ? undecided : draw_binomial(g, undecided, fmin(share / undivided, 1.0));
            undecided -= drawn;
            undivided -= share;
            s->destination[place * m->destinations + d] += drawn;
            if (d == m->bound)
                bound[x] = drawn;
        }
    }
}
