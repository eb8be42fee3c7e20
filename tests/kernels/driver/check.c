/* For mmap and sysconf. */
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE

#include "check.h"

#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#endif

enum { SHOWN = 10, PAGES = 1 << 16 /* a multiple of the page of every system */ };

struct situation now;
int ends_at_first;
char *arenas[ARENAS];

static char *make_guarded(size_t bytes)
{
#if defined(_WIN32)
    DWORD before;
    char *memory = VirtualAlloc(NULL, bytes + 2 * PAGES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (memory && VirtualProtect(memory, PAGES, PAGE_NOACCESS, &before) &&
        VirtualProtect(memory + PAGES + bytes, PAGES, PAGE_NOACCESS, &before))
        return memory + PAGES;
#else
    char *memory = mmap(NULL, bytes + 2 * PAGES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED && mprotect(memory + PAGES, bytes, PROT_READ | PROT_WRITE) == 0)
        return memory + PAGES;
#endif
    fputs("no memory\n", stderr);
    exit(2);
}

void make_arenas(void)
{
    for (int i = 0; i < ARENAS; i++)
        arenas[i] = make_guarded(ARENA);
}

char *place_in(int arena, size_t span, ptrdiff_t over)
{
    return arenas[arena] + (over < 0 ? (ptrdiff_t)(ARENA - span) + over + 1 : over);
}

struct window window_around(int arena, char *low, size_t span)
{
    char *const begin = arenas[arena], *const end = begin + ARENA, *const high = low + span;
    return (struct window){low - begin < MARGIN ? begin : low - MARGIN,
                           end - high < MARGIN ? end : high + MARGIN};
}

uint64_t load_element(const char *p, size_t itemsize)
{
    uint8_t bits8;
    uint16_t bits16;
    uint32_t bits32;
    uint64_t bits64;

    if (itemsize == 1)
        return memcpy(&bits8, p, 1), bits8;
    if (itemsize == 2)
        return memcpy(&bits16, p, 2), bits16;
    if (itemsize == 4)
        return memcpy(&bits32, p, 4), bits32;
    return memcpy(&bits64, p, 8), bits64;
}

void store_element(char *p, size_t itemsize, uint64_t bits)
{
    const uint8_t bits8 = (uint8_t)bits;
    const uint16_t bits16 = (uint16_t)bits;
    const uint32_t bits32 = (uint32_t)bits;

    memcpy(p,
           itemsize == 1   ? (const void *)&bits8
           : itemsize == 2 ? (const void *)&bits16
           : itemsize == 4 ? (const void *)&bits32
                           : (const void *)&bits,
           itemsize);
}

static uint64_t random_state;

void seed_random(const char *set, const char *operation, int dtype)
{
    random_state = (uint64_t)dtype;
    for (; *set; set++)
        random_state = random_state * 0x9E3779B97F4A7C15 + (unsigned char)*set;
    for (; *operation; operation++)
        random_state = random_state * 0x9E3779B97F4A7C15 + (unsigned char)*operation;
}

uint64_t next_random(void)
{
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return random_state ^ random_state >> 29;
}

void begin_check(const char *operation, int dtype, const char *entry, size_t n, int operands,
                 char *const args[], const ptrdiff_t steps[])
{
    now.operation = operation;
    now.dtype = fastrelu_dtype_names[dtype];
    now.entry = entry;
    now.n = n;
    now.operands = operands;
    for (int i = 0; i < operands; i++) {
        now.args[i] = args[i];
        now.steps[i] = steps ? steps[i] : 0;
    }
    now.checks++;
}

static void print_situation(FILE *file)
{
    fprintf(file, "%s: %s of %s, %s, n = %zu, addresses mod 64 and steps:", now.isa->name,
            now.operation, now.dtype, now.entry, now.n);
    for (int i = 0; i < now.operands; i++)
        fprintf(file, " %u/%td", (unsigned)((uintptr_t)now.args[i] % 64), now.steps[i]);
}

void report(const char *what, size_t index, uint64_t expected, uint64_t got)
{
    if (now.mismatches++ >= SHOWN)
        return;
    print_situation(stdout);
    printf("\n    %s %zu: expected %#llx, got %#llx\n", what, index, (unsigned long long)expected,
           (unsigned long long)got);
    fflush(stdout);
    if (ends_at_first)
        _Exit(1);
}

void clear_flags(void)
{
    if (raised_flags())
        feclearexcept(FE_ALL_EXCEPT);
}

void check_flags(uint8_t expected, uint8_t open_flags)
{
    const uint8_t raised = raised_flags();
    if ((raised & ~open_flags) != (expected & ~open_flags))
        report("flags (1 invalid, 4 overflow, 8 underflow), of elements from", 0, expected, raised);
}

static size_t add_value(uint64_t values[], size_t n, size_t most, uint64_t value)
{
    for (size_t i = 0; i < n; i++)
        if (values[i] == value)
            return n;
    if (n < most)
        values[n++] = value;
    return n;
}

size_t make_values(int dtype, size_t most, uint64_t values[])
{
    const int width = width_of(dtype);
    const uint64_t all = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
    const uint64_t sign = (uint64_t)1 << (width - 1);
    size_t n = 0;

    if (width <= 16 && most > all) {
        for (; n <= all; n++)
            values[n] = n;
        return n;
    }
    if (is_float(dtype)) {
        const int exponent = exponent_bits(dtype), mantissa = width - 1 - exponent;
        const uint64_t least_normal = (uint64_t)1 << mantissa,
                       inf = (sign - 1) ^ (least_normal - 1);
        const uint64_t one = ((uint64_t)1 << (exponent - 1 + mantissa)) - least_normal;
        const uint64_t quiet = inf | least_normal >> 1;
        const uint64_t magnitudes[] = {0,
                                       1,
                                       least_normal - 1, /* zero and subnormals */
                                       least_normal,
                                       least_normal + 1, /* the least */
                                       one,
                                       one + least_normal,
                                       one - least_normal,
                                       one + (least_normal >> 1),
                                       one + 5 * (least_normal >> 1), /* 1, 2, 0.5, 1.5, 6 */
                                       inf - 1,
                                       inf, /* the greatest */
                                       quiet,
                                       quiet | 3,
                                       sign - 1, /* quiet NaNs */
                                       inf + 1,
                                       quiet - 1}; /* signalling NaNs */
        for (size_t i = 0; i < sizeof magnitudes / sizeof *magnitudes; i++) {
            n = add_value(values, n, most, magnitudes[i]);
            n = add_value(values, n, most, magnitudes[i] | sign);
        }
    } else
        for (int i = -2; i <= 2; i++) {
            n = add_value(values, n, most, (uint64_t)i & all);
            n = add_value(values, n, most, (sign + (uint64_t)i) & all);
            n = add_value(values, n, most, (sign / 2 + (uint64_t)i) & all);
            n = add_value(values, n, most, (sign / 2 * 3 + (uint64_t)i) & all);
        }
    while (n < most)
        values[n++] = next_random() & all;
    return n;
}

void check_bytes(const char *what, const char *expected, const char *got, size_t size)
{
    if (memcmp(expected, got, size) == 0)
        return;
    for (size_t i = 0; i < size; i++)
        if (expected[i] != got[i]) {
            report(what, i, (uint8_t)expected[i], (uint8_t)got[i]);
            return;
        }
}
