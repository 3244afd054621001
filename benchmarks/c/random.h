/* xoshiro256++ (Blackman and Vigna), seeded by splitmix64, and exact binomial counts drawn with it. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

typedef struct {
    uint64_t s[4];
} generator;

static inline uint64_t rotate_left(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

static inline uint64_t next_word(generator *g)
{
    uint64_t *s = g->s;
    const uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* Strictly inside (0, 1). */
static inline double next_uniform(generator *g) { return ((double)(next_word(g) >> 12) + 0.5) * 0x1.0p-52; }

void seed_generator(generator *g, uint64_t seed);
int64_t draw_binomial(generator *g, int64_t trials, double probability);

#endif
