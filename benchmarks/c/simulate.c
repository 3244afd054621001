/* The program: replicate by replicate, cell by cell, one of two walks. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

static void *zeros(int64_t number) { return calloc((size_t)number + 1, sizeof(int64_t)); }

static void store(const model *m, tally *t, stored *s, int64_t place)
{
    for (int64_t i = 0; i < m->points; i++) {
        s->reached[place * m->points + i] += t->reached[i];
        s->visits[place * m->points + i] += t->visits[i];
    }
    for (int64_t i = 0; i < m->outcomes; i++)
        s->outcome[place * m->outcomes + i] += t->outcome[i];
    for (int64_t i = 0; i < m->attempt_cap; i++)
        s->attempts[place * m->attempt_cap + i] += t->attempts[i];
    /* one piece of memory */
    memset(t->reached, 0, sizeof(int64_t) * (size_t)(2 * m->points + m->outcomes + m->attempt_cap));
}

/* guide_bits 0: leg by leg; else the collapsed table with a guide of so many bits. */
void simulate(const model *m, const work *w, stored *s, uint64_t seed, int64_t guide_bits)
{
    generator g;
    seed_generator(&g, seed);
    probabilities p = {
        zeros(m->profiles * m->attempt_cap * (1 + m->causes)), zeros(m->fork_start[m->forks]),
        zeros(m->reattempts * m->attempt_cap),
    };
    tally t;
    t.reached = zeros(2 * m->points + m->outcomes + m->attempt_cap);
    t.visits = t.reached + m->points;
    t.outcome = t.visits + m->points;
    t.attempts = t.outcome + m->outcomes;
    leg_walk *legs = guide_bits == 0 ? make_leg_walk(m) : NULL;
    table_walk *tables = guide_bits == 0 ? NULL : make_table_walk(m, guide_bits);
    for (int64_t row = 0; row < w->rows; row++) {
        const int64_t set = w->fixed ? 0 : row;
        const double *theta = w->theta + set * m->parameters;
        if (row == 0 || !w->fixed) {
            fill_probabilities(m, theta, &p);
            if (legs)
                prepare_leg_walk(m, &p, legs);
            else
                prepare_table_walk(tables);
        }
        for (int64_t cell = 0; cell < m->cells; cell++) {
            int64_t bound[2];
            const double *shares = w->shares + (set * m->cells + cell) * m->risks;
            draw_cell(m, theta, shares, w->scores + set * m->effects, cell, &g, s, row, w->rows, bound);
            for (int64_t x = 0; x < 2; x++) {
                const int64_t stratum = 2 * cell + x;
                if (bound[x] == 0)
                    continue;
                if (legs)
                    walk_legs(m, legs, m->class_of[stratum], bound[x], &g, &t);
                else
                    walk_tables(m, &p, tables, m->class_of[stratum], bound[x], &g, &t);
                store(m, &t, s, m->stratum_slot[stratum] * w->rows + row);
            }
        }
    }
    if (legs)
        free_leg_walk(legs);
    if (tables)
        free_table_walk(tables);
    free(p.legs);
    free(p.shares);
    free(p.again);
    free(t.reached);
}

/* Binomial counts alone, for a test of their law. */
void binomials(uint64_t seed, int64_t trials, double probability, int64_t number, int64_t *drawn)
{
    generator g;
    seed_generator(&g, seed);
    for (int64_t i = 0; i < number; i++)
        drawn[i] = draw_binomial(&g, trials, probability);
}
