/* Checks every kernel of every instruction set that runs here, without Python. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { MAX_SETS = 16, ONE_OF = 4 };

static const char usage[] =
    "usage: check [--set NAME] [--part K/N] [--one-of N] [--first] [--list]\n"
    "\n"
    "Checks every kernel of every instruction set that runs here against an oracle in C's own\n"
    "arithmetic. Prints a line for each set, and the first mismatches.\n"
    "\n"
    "  --set NAME   this set alone\n"
    "  --part K/N   the K-th of N parts of the work, from 1 on\n"
    "  --one-of N   of N combinations of length, places and steps check one: 1 is all of them\n"
    "  --first      end at the first mismatch\n"
    "  --list       print the sets that run here\n"
    "\n"
    "Exit status: 0 if nothing differs, 1 if something does, 2 if the call was wrong.\n";

static int fail_usage(void)
{
    fputs(usage, stderr);
    return 2;
}

/* A byte outside an operand was read or written, or an instruction is not there. */
static void on_signal(int number)
{
    now.mismatches = 0; /* so that it is printed */
    report("stopped by signal", (size_t)number, 0, 0);
    _Exit(1);
}

int main(int argc, char **argv)
{
    const struct fastrelu_isa *sets[MAX_SETS + 1] = {NULL};
    static struct situation counts[MAX_SETS];
    struct selection selection = {.part = 0, .parts = 1, .one_of = ONE_OF};
    int list = 0, n = 0;
    size_t mismatches = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return fputs(usage, stdout), 0;
        if (strcmp(argv[i], "--list") == 0)
            list = 1;
        else if (strcmp(argv[i], "--first") == 0)
            ends_at_first = 1;
        else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc)
            selection.set = argv[++i];
        else if (strcmp(argv[i], "--one-of") == 0 && i + 1 < argc) {
            if (sscanf(argv[++i], "%zu", &selection.one_of) != 1 || selection.one_of < 1)
                return fail_usage();
        } else if (strcmp(argv[i], "--part") == 0 && i + 1 < argc) {
            if (sscanf(argv[++i], "%d/%d", &selection.part, &selection.parts) != 2 ||
                selection.part < 1 || selection.part > selection.parts)
                return fail_usage();
            selection.part--;
        } else
            return fail_usage();
    }
    for (int i = 0; fastrelu_compiled_isas[i]; i++) {
        const struct fastrelu_isa *isa = fastrelu_compiled_isas[i];
        if (selection.set && strcmp(selection.set, isa->name) != 0)
            continue;
        if (!isa->runs_here()) {
            if (!list)
                printf("%s: does not run here\n", isa->name);
            continue;
        }
        if (list)
            puts(isa->name);
        counts[n].isa = isa;
        sets[n++] = isa;
    }
    if (list)
        return 0;
    if (n == 0) {
        fprintf(stderr, "no set %s runs here\n", selection.set);
        return 2;
    }

    make_arenas();
    signal(SIGSEGV, on_signal);
    signal(SIGILL, on_signal);
#if defined(SIGBUS)
    signal(SIGBUS, on_signal);
#endif
    check_operations(sets, counts, &selection);
    check_masks(sets, counts, &selection);
    check_reductions(sets, counts, &selection);
    check_transpose(sets, counts, &selection);
    check_runtime(sets, counts, &selection);
    check_floats(sets, counts, &selection);
    for (int i = 0; i < n; i++) {
        printf("%s: %zu checks, %zu mismatches\n", counts[i].isa->name, counts[i].checks,
               counts[i].mismatches);
        mismatches += counts[i].mismatches;
    }
    return mismatches != 0;
}
