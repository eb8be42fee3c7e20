/* The kernels of reductions. The loops around them, and the order of a sum, are in
   runtime/reduce.c. */

#ifndef FASTRELU_REDUCTIONS_H
#define FASTRELU_REDUCTIONS_H

#include <stddef.h>

/* A sum has so many lanes, on every instruction set, and so many elements in a leaf: the leaf of
   64-bit types, whose additions round, is the shorter one. */
enum { FASTRELU_SUM_LANES = 32, FASTRELU_LEAF = 1024, FASTRELU_LEAF_OF_64_BITS = 512 };

/* Sums relu(x - threshold) over rows, for each column: rows[0], rows[step] + distance,
   rows[2 * step] + 2 * distance, ... The columns lie next to each other, and there are
   FASTRELU_SUM_LANES at least. Each row is added to the sum of those before. Rows of so many
   elements that follow each other (step 0) may be those of several leaves, which have sums of their
   own. */
typedef void fastrelu_sum_rows(const char *const rows[], size_t step, ptrdiff_t distance,
                               size_t n_rows, size_t columns, const char *threshold, char *sums);

/* Adds 1 to the count of a column for each row where a predicate holds. A count has the size of an
   element, and wraps. */
typedef void fastrelu_count_rows(const char *const rows[], size_t n_rows, size_t columns,
                                 char *counts);

/* Adds n counts to sums. */
typedef void fastrelu_add_counts(char *sums, const char *counts, size_t n);

/* Makes those of n bytes 0 whose count is not. */
typedef void fastrelu_keep_uncounted(char *bytes, const char *counts, size_t n);

/* Adds n sums to others. */
typedef void fastrelu_add_sums(char *sums, const char *others, size_t n);

/* Adds up the lanes of each of n sums, the upper half to the lower half until one is left, and puts
   the results in front. */
typedef void fastrelu_fold_lanes(char *sums, size_t n);

typedef void fastrelu_divide_sums(char *sums, size_t n, double divisor);

struct fastrelu_reduction_kernel {
    fastrelu_sum_rows *sums;         /* of integers int64, wrapping; of floats double */
    fastrelu_sum_rows *double_sums;  /* of 64-bit integers: each is rounded to double */
    fastrelu_sum_rows *partial_sums; /* of float32: four rows are first added in float32 */
    fastrelu_count_rows *positive;   /* x > 0 */
    fastrelu_count_rows *not_dead;   /* unless x <= 0 */
    fastrelu_add_counts *add_counts;
    fastrelu_keep_uncounted *keep_uncounted;
    fastrelu_add_sums *add_integers, *add_doubles;
    fastrelu_fold_lanes *fold_integers, *fold_doubles;
    fastrelu_divide_sums *divide_doubles;
    size_t itemsize, leaf; /* so many elements are added up before the lanes are */
};

#endif
