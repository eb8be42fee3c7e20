/* What the programs of this folder share: findings, and the line of what was covered. */

#ifndef FASTRELU_PROOFS_FINDINGS_H
#define FASTRELU_PROOFS_FINDINGS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FINDINGS = 10 };

static size_t findings;

/* After a finding has been printed: the program ends with the tenth. */
static inline void count_finding(void)
{
    if (++findings < MOST_FINDINGS)
        return;
    printf("    stopped after %zu findings\n", findings);
    exit(1);
}

#define FOUND(...)                  \
    do {                            \
        printf("    " __VA_ARGS__); \
        putchar('\n');              \
        count_finding();            \
    } while (0)

/* Whether the one option of every program is given; leaves with status 2 on any other. */
static inline int wants_larger(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--larger") == 0)
        return 1;
    if (argc == 1)
        return 0;
    fprintf(stderr, "usage: %s [--larger]\n", argv[0]);
    exit(2);
}

static inline uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x7FB5D329728EA185;
    x = (x ^ x >> 27) * 0x81DADEF4BC2DD44D;
    return x ^ x >> 33;
}

/* The last line of a program; its exit status. */
static inline int report_findings(void)
{
    printf("    %zu findings\n", findings);
    return findings != 0;
}

#endif
