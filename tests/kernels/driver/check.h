/* What the checks share: guarded memory, values, random numbers, and the count of mismatches. */

#ifndef FASTRELU_TEST_CHECK_H
#define FASTRELU_TEST_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"
#include "oracle.h"

enum {
    MAX_INPUTS = FASTRELU_MAX_OPERANDS - 1,
    ARENA = 1 << 20,                      /* bytes of each, a multiple of every page */
    ARENAS = FASTRELU_MAX_OPERANDS + 1,   /* the inputs, the output, and a mask */
    LONGEST = 2 * FASTRELU_MAX_LANES + 1, /* every length up to this one */
    MARGIN = 64,                          /* bytes beside an operand that are looked at */
    SENTINEL = 0xA5
};

/* Which checks are wanted. */
struct selection {
    const char *set; /* NULL: all */
    int part, parts;
    size_t one_of; /* of so many shapes one is checked, picked at random */
};

/* The set and the check under way. */
struct situation {
    const struct fastrelu_isa *isa;
    const char *operation, *dtype, *entry;
    size_t n, checks, mismatches;
    int operands;
    const char *args[ARENAS];
    ptrdiff_t steps[ARENAS];
};
extern struct situation now;
extern int ends_at_first; /* whether the first mismatch ends the process */

/* Counts a check. */
void begin_check(const char *operation, int dtype, const char *entry, size_t n, int operands,
                 char *const args[], const ptrdiff_t steps[]);
/* Counts a mismatch, and prints it if it is one of the first. */
void report(const char *what, size_t index, uint64_t expected, uint64_t got);

/* Compares the flags since clear_flags. */
void clear_flags(void);
void check_flags(uint8_t expected, uint8_t open_flags);

/* Memory between pages that cannot be read. */
extern char *arenas[ARENAS];
void make_arenas(void);

/* `over` bytes behind the beginning of an arena, or where that is below zero, so far before its end
   that -1 is at the end. */
char *place_in(int arena, size_t span, ptrdiff_t over);

/* An operand with the margin beside it, as far as the arena goes. */
struct window {
    char *from, *to;
};
struct window window_around(int arena, char *low, size_t span);

uint64_t load_element(const char *p, size_t itemsize);
void store_element(char *p, size_t itemsize, uint64_t bits);

uint64_t next_random(void);
/* The same for each run, and other ones for each set. */
void seed_random(const char *set, const char *operation, int dtype);
static inline size_t random_below(size_t n) { return (size_t)(next_random() >> 33) % n; }

/* Up to `most` different values of a dtype: all of them if they are so few, else the special ones
   first, then random ones. Returns how many. */
size_t make_values(int dtype, size_t most, uint64_t values[]);

/* Compares bytes with their image. */
void check_bytes(const char *what, const char *expected, const char *got, size_t size);

extern const struct fastrelu_isa fastrelu_scalar;

/* The parts of the driver. Each checks the sets of a list, which ends with NULL. */
void check_operations(const struct fastrelu_isa *const sets[], struct situation counts[],
                      const struct selection *selection);
void check_masks(const struct fastrelu_isa *const sets[], struct situation counts[],
                 const struct selection *selection);
void check_reductions(const struct fastrelu_isa *const sets[], struct situation counts[],
                      const struct selection *selection);
void check_transpose(const struct fastrelu_isa *const sets[], struct situation counts[],
                     const struct selection *selection);
void check_runtime(const struct fastrelu_isa *const sets[], struct situation counts[],
                   const struct selection *selection);
void check_floats(const struct fastrelu_isa *const sets[], struct situation counts[],
                  const struct selection *selection);

#endif
