/* Leg by leg: at every point one word picks the leg, one how it ends, one whether there is another attempt. */
#include <stdlib.h>

#include "model.h"

struct leg_walk {
    uint64_t *ends;   /* [profiles, attempt_cap, causes] cumulated thresholds: goes on, interception, ... */
    uint64_t *choice; /* cumulated thresholds of the legs of every fork */
    uint64_t *again;  /* [reattempts, attempt_cap] */
};

/* floor(2^64 probability), at most 2^64 - 1. */
static uint64_t threshold(double probability)
{
    return probability >= 1.0 ? UINT64_MAX : probability <= 0.0 ? 0 : (uint64_t)(probability * 0x1.0p64);
}

leg_walk *make_leg_walk(const model *m)
{
    leg_walk *w = malloc(sizeof *w);
    w->ends = malloc(sizeof(uint64_t) * (size_t)(m->profiles * m->attempt_cap * m->causes + 1));
    w->choice = malloc(sizeof(uint64_t) * (size_t)(m->fork_start[m->forks] + 1));
    w->again = malloc(sizeof(uint64_t) * (size_t)(m->reattempts * m->attempt_cap + 1));
    return w;
}

void free_leg_walk(leg_walk *w)
{
    free(w->ends);
    free(w->choice);
    free(w->again);
    free(w);
}

void prepare_leg_walk(const model *m, const probabilities *p, leg_walk *w)
{
    for (int64_t row = 0; row < m->profiles * m->attempt_cap; row++) {
        double cumulated = 0.0;
        for (int64_t i = 0; i < m->causes; i++) {
            cumulated += p->legs[row * (1 + m->causes) + i];
            w->ends[row * m->causes + i] = threshold(cumulated);
        }
    }
    for (int64_t fork = 0; fork < m->forks; fork++) {
        double cumulated = 0.0;
        for (int64_t i = m->fork_start[fork]; i < m->fork_start[fork + 1]; i++) {
            cumulated += p->shares[i];
            w->choice[i] = threshold(cumulated);
        }
    }
    for (int64_t i = 0; i < m->reattempts * m->attempt_cap; i++)
        w->again[i] = threshold(p->again[i]);
}

void walk_legs(const model *m, const leg_walk *w, int64_t journey, int64_t agents, generator *g, tally *t)
{
    const int64_t entry = m->start_point[m->class_start[journey]];
    const int64_t *forks = m->class_fork + journey * m->points, *profiles = m->class_profile + journey * m->legs;
    const int64_t *back = m->class_return + journey * m->legs;
    const uint64_t *again = w->again + m->class_reattempt[journey] * m->attempt_cap;
    generator local = *g; /* in registers */
    for (int64_t agent = 0; agent < agents; agent++) {
        uint64_t been = 0;
        int64_t point = entry, attempt = 0;
        t->attempts[0]++;
        for (;;) {
            t->visits[point]++;
            been |= (uint64_t)1 << point;
            if (point == m->arrival_point) {
                t->outcome[m->arrival_outcome]++;
                break;
            }
            int64_t chosen = m->fork_start[forks[point]];
            const int64_t last = m->fork_start[forks[point] + 1] - 1;
            if (chosen < last) {
                const uint64_t word = next_word(&local);
                while (chosen < last && word >= w->choice[chosen])
                    chosen++;
            }
            const int64_t leg = m->fork_leg[chosen];
            const uint64_t *ends = w->ends + (profiles[leg] * m->attempt_cap + attempt) * m->causes;
            const uint64_t word = next_word(&local);
            if (word < ends[0]) {
                point = m->leg_to[leg];
                continue;
            }
            int64_t cause = 0;
            while (cause < m->causes - 1 && word >= ends[1 + cause])
                cause++;
            if (cause > 0) {
                t->outcome[m->cause_outcome[cause]]++;
                break;
            }
            if (attempt + 1 < m->attempt_cap && next_word(&local) < again[attempt]) {
                point = back[leg];
                t->attempts[++attempt]++;
                continue;
            }
            t->outcome[m->returned_outcome]++;
            break;
        }
        for (; been != 0; been &= been - 1)
            t->reached[__builtin_ctzll(been)]++;
    }
    *g = local;
}
