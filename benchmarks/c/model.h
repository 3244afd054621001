/* The scenario as flat arrays; names and shapes are those of simcore's SourcePlan and TransitPlan. */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "random.h"

enum { ARRIVAL, RETURNED, REATTEMPT, TERMINAL }; /* kinds of fate */
enum { NONE = -1, REST = -2, CERTAIN = -3 };     /* instead of a column */

typedef struct {
    /* sizes */
    int64_t parameters, cells, risks, effects, destinations, profiles, forks, reattempts, classes, starts, fates;
    int64_t points, legs, causes, outcomes, attempt_cap, arrival_outcome, returned_outcome, arrival_point, bound;
    double exposure_years;
    /* source zone; two exploitations, each with a risk of its own */
    const double *population;
    const int64_t *factor;
    const bool *active;
    const int64_t *odds_ratio, *hazard, *multiplier_start, *multipliers, *effect_start, *effect_element;
    const int64_t *effect_deviation, *destination;
    /* transit zone */
    const int64_t *cause_outcome;
    const bool *profile_split;
    const int64_t *profile_continue, *profile_cause, *modifier_start, *modifiers, *profile_effect;
    const int64_t *fork_start, *fork_share, *fork_leg, *reattempt;
    const int64_t *class_of, *class_reattempt, *class_start, *class_fork, *class_profile, *class_return, *leg_to;
    const int64_t *start_class, *start_point, *start_first_route, *route_first_step, *step_share, *step_profile;
    const int64_t *start_first_fate, *fate_kind, *fate_outcome, *fate_next;
    const uint64_t *fate_visited;
    /* where counts are stored */
    const int64_t *cell_slot, *stratum_slot;
} model;

typedef struct {
    int64_t rows, fixed;  /* fixed: one parameter set for all rows */
    const double *theta;  /* [t, parameters] */
    const double *shares; /* [t, cells, risks] */
    const double *scores; /* [t, effects] */
} work;

typedef struct { /* all int64 [slot, row, ...] */
    int64_t *persons, *at_risk, *victims, *destination, *reached, *visits, *outcome, *attempts;
} stored;

/* Probabilities of one parameter set. */
typedef struct {
    double *legs;   /* [profiles, attempt_cap, 1 + causes]: goes on, then the causes */
    double *shares; /* of legs at forks, as fork_share */
    double *again;  /* [reattempts, attempt_cap] */
} probabilities;

/* Counts of one stratum, zero between strata. */
typedef struct {
    int64_t *reached, *visits, *outcome, *attempts;
} tally;

void fill_probabilities(const model *m, const double *theta, probabilities *p);
/* Fills bound (two exploitations) and adds what it draws to the stored counts. */
void draw_cell(const model *m, const double *theta, const double *shares, const double *scores, int64_t cell,
               generator *g, stored *s, int64_t row, int64_t rows, int64_t bound[2]);

typedef struct leg_walk leg_walk;
leg_walk *make_leg_walk(const model *m);
void prepare_leg_walk(const model *m, const probabilities *p, leg_walk *w);
void walk_legs(const model *m, const leg_walk *w, int64_t journey, int64_t agents, generator *g, tally *t);
void free_leg_walk(leg_walk *w);

typedef struct table_walk table_walk;
table_walk *make_table_walk(const model *m, int64_t guide_bits);
void prepare_table_walk(table_walk *w);
void walk_tables(const model *m, const probabilities *p, table_walk *w, int64_t journey, int64_t agents, generator *g,
                 tally *t);
void free_table_walk(table_walk *w);

#endif
