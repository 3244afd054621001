/* From parameters to probabilities of legs, forks and further attempts. Legs that end for certain are not known here. */
#include <math.h>

#include "model.h"

static double column_of(const double *theta, int64_t column) { return column >= 0 ? theta[column] : 0.0; }

void fill_probabilities(const model *m, const double *theta, probabilities *p)
{
    const int64_t width = 1 + m->causes;
    for (int64_t profile = 0; profile < m->profiles; profile++) {
        double hazards[64], effect = column_of(theta, m->profile_effect[profile]);
        double scale = 0.0;
        if (m->profile_split[profile]) {
            const double go_on = theta[m->profile_continue[profile]];
            scale = go_on < 1.0 ? -log(go_on) / (1.0 - go_on) : 0.0;
        }
        for (int64_t c = 0; c < m->causes; c++) {
            const int64_t place = profile * m->causes + c;
            const double base = column_of(theta, m->profile_cause[place]);
            hazards[c] = m->profile_split[profile] ? scale * base : -log1p(-base);
            for (int64_t i = m->modifier_start[place]; i < m->modifier_start[place + 1]; i++)
                hazards[c] *= theta[m->modifiers[i]];
        }
        for (int64_t attempt = 0; attempt < m->attempt_cap; attempt++) {
            double *leg = p->legs + (profile * m->attempt_cap + attempt) * width;
            const double interception = effect == 0.0 ? hazards[0] : hazards[0] * exp(effect * (double)attempt);
            double total = interception;
            for (int64_t c = 1; c < m->causes; c++)
                total += hazards[c];
            const double part = total > 0.0 ? -expm1(-total) / total : 0.0;
            leg[0] = exp(-total);
            leg[1] = interception * part;
            for (int64_t c = 1; c < m->causes; c++)
                leg[1 + c] = hazards[c] * part;
        }
    }
    for (int64_t fork = 0; fork < m->forks; fork++) {
        double rest = 1.0;
        for (int64_t i = m->fork_start[fork]; i < m->fork_start[fork + 1]; i++) {
            p->shares[i] = m->fork_share[i] == CERTAIN ? 1.0 : column_of(theta, m->fork_share[i]);
            rest -= p->shares[i];
        }
        for (int64_t i = m->fork_start[fork]; i < m->fork_start[fork + 1]; i++)
            if (m->fork_share[i] == REST)
                p->shares[i] = rest > 0.0 ? rest : 0.0;
    }
    for (int64_t i = 0; i < m->reattempts * m->attempt_cap; i++)
        p->again[i] = column_of(theta, m->reattempt[i]);
}
