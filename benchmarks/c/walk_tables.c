/* The collapsed table: one word per attempt picks the attempt's fate; a guide says where to begin to search. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

struct table_walk {
    int64_t guide_bits, most;
    bool *ready;         /* [starts, attempt_cap] */
    uint64_t *threshold; /* [starts, attempt_cap, most] */
    uint16_t *guide;     /* [starts, attempt_cap, 2^guide_bits] first fate that a word of the cell can have */
    int64_t *first, *later; /* [fates] how often drawn, on first and on later attempts; zero between calls */
    size_t tables;
};

table_walk *make_table_walk(const model *m, int64_t guide_bits)
{
    table_walk *w = malloc(sizeof *w);
    w->guide_bits = guide_bits;
    w->most = 1;
    for (int64_t start = 0; start < m->starts; start++) {
        const int64_t size = m->start_first_fate[start + 1] - m->start_first_fate[start];
        w->most = size > w->most ? size : w->most;
    }
    w->tables = (size_t)(m->starts * m->attempt_cap);
    w->ready = calloc(w->tables, sizeof *w->ready);
    w->threshold = malloc(w->tables * (size_t)w->most * sizeof *w->threshold);
    w->guide = malloc((w->tables << guide_bits) * sizeof *w->guide);
    w->first = calloc((size_t)m->fates + 1, sizeof *w->first);
    w->later = calloc((size_t)m->fates + 1, sizeof *w->later);
    return w;
}

void free_table_walk(table_walk *w)
{
    free(w->ready);
    free(w->threshold);
    free(w->guide);
    free(w->first);
    free(w->later);
    free(w);
}

void prepare_table_walk(table_walk *w) { memset(w->ready, 0, w->tables * sizeof *w->ready); }

static void build(const model *m, const probabilities *p, table_walk *w, int64_t start, int64_t attempt)
{
    const int64_t table = start * m->attempt_cap + attempt, width = 1 + m->causes;
    const double rho = p->again[m->class_reattempt[m->start_class[start]] * m->attempt_cap + attempt];
    uint64_t *thresholds = w->threshold + table * w->most;
    double before = 0.0; /* mass of the routes before this one */
    int64_t fate = 0, last = 0;
#define ADD(mass)                                                                                                      \
    do {                                                                                                               \
        const double here = (mass);                                                                                    \
        cumulated += here;                                                                                             \
        if (here > 0.0)                                                                                                \
            last = fate;                                                                                               \
        thresholds[fate++] = cumulated >= 1.0 ? UINT64_MAX : (uint64_t)(cumulated * 0x1.0p64);                         \
    } while (0)
    for (int64_t route = m->start_first_route[start]; route < m->start_first_route[start + 1]; route++) {
        double alive = 1.0, cumulated = before;
        for (int64_t step = m->route_first_step[route]; step < m->route_first_step[route + 1]; step++)
            alive *= p->shares[m->step_share[step]];
        before += alive;
        for (int64_t step = m->route_first_step[route]; step < m->route_first_step[route + 1]; step++) {
            const double *leg = p->legs + (m->step_profile[step] * m->attempt_cap + attempt) * width;
            ADD(alive * leg[1] * (1.0 - rho));
            ADD(alive * leg[1] * rho);
            for (int64_t cause = 1; cause < m->causes; cause++)
                ADD(alive * leg[1 + cause]);
            alive *= leg[0];
        }
        ADD(alive);
    }
#undef ADD
    for (int64_t i = last; i < fate; i++)
        thresholds[i] = UINT64_MAX; /* the last possible fate takes what rounding leaves */
    uint16_t *guide = w->guide + ((size_t)table << w->guide_bits);
    int64_t here = 0;
    for (uint64_t cell = 0; cell < (uint64_t)1 << w->guide_bits; cell++) {
        while (here < last && thresholds[here] <= cell << (64 - w->guide_bits))
            here++;
        guide[cell] = (uint16_t)here;
    }
    w->ready[table] = true;
}

static inline int64_t draw_fate(const model *m, const table_walk *w, int64_t start, int64_t attempt, generator *g)
{
    const int64_t table = start * m->attempt_cap + attempt;
    const uint64_t *thresholds = w->threshold + table * w->most;
    const uint64_t word = next_word(g);
    int64_t fate = w->guide[((size_t)table << w->guide_bits) + (word >> (64 - w->guide_bits))];
    while (word >= thresholds[fate] && thresholds[fate] != UINT64_MAX)
        fate++;
    return m->start_first_fate[start] + fate;
}

/* Adds what fates stand for, as often as they were drawn. */
static void count_fates(const model *m, int64_t first_fate, int64_t stop, int64_t *drawn, bool reached, tally *t)
{
    for (int64_t fate = first_fate; fate < stop; fate++) {
        const int64_t number = drawn[fate];
        if (number == 0)
            continue;
        drawn[fate] = 0;
        for (uint64_t points = m->fate_visited[fate]; points != 0; points &= points - 1) {
            const int point = __builtin_ctzll(points);
            t->visits[point] += number;
            if (reached)
                t->reached[point] += number;
        }
        if (m->fate_outcome[fate] >= 0)
            t->outcome[m->fate_outcome[fate]] += number;
    }
}

void walk_tables(const model *m, const probabilities *p, table_walk *w, int64_t journey, int64_t agents, generator *g,
                 tally *t)
{
    const int64_t entry = m->class_start[journey];
    generator local = *g; /* in registers */
    bool any_later = false;
    t->attempts[0] += agents;
    if (!w->ready[entry * m->attempt_cap])
        build(m, p, w, entry, 0);
    for (int64_t agent = 0; agent < agents; agent++) {
        int64_t fate = draw_fate(m, w, entry, 0, &local);
        w->first[fate]++;
        uint64_t been = m->fate_visited[fate];
        for (int64_t attempt = 1; m->fate_kind[fate] == REATTEMPT; attempt++) {
            const int64_t start = m->fate_next[fate];
            if (!w->ready[start * m->attempt_cap + attempt])
                build(m, p, w, start, attempt);
            fate = draw_fate(m, w, start, attempt, &local);
            t->attempts[attempt]++;
            w->later[fate]++;
            any_later = true;
            for (uint64_t new = m->fate_visited[fate] & ~been; new != 0; new &= new - 1)
                t->reached[__builtin_ctzll(new)]++;
            been |= m->fate_visited[fate];
        }
    }
    *g = local;
    count_fates(m, m->start_first_fate[entry], m->start_first_fate[entry + 1], w->first, true, t);
    for (int64_t start = 0; any_later && start < m->starts; start++)
        if (m->start_class[start] == journey)
            count_fates(m, m->start_first_fate[start], m->start_first_fate[start + 1], w->later, false, t);
}
