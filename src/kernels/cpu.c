#include "kernels/cpu.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lines of /proc/cpuinfo that begin so tell one model from another; the last three on ARM. */
static bool tells_model(const char *line)
{
    static const char *const beginnings[] = {"vendor_id",       "cpu family",  "model",
                                             "CPU implementer", "CPU variant", "CPU part"};
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        if (strncmp(line, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

char *weft_cpu_model(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        return text;
    char line[4096];
    while (fgets(line, sizeof(line), file) && line[0] != '\n') /* an empty line ends a processor */
        if (tells_model(line) && used < size - 1) {
            snprintf(text + used, size - used, "%s", line);
            used += strlen(text + used);
        }
    fclose(file);
    return text;
}

static int64_t detect_l2(void)
{
    enum { LEAST = 512 * 1024, USUAL = 1024 * 1024 };
    const char *wanted = getenv("WEFT_L2");
    int64_t bytes = wanted ? strtoll(wanted, NULL, 10) : 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    if (bytes <= 0)
        bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    if (bytes <= 0)
        bytes = USUAL;
    return bytes < LEAST ? LEAST : bytes;
}

int64_t weft_cpu_l2(void)
{
    /* A cache of a fact about the machine: every thread would store the same value. */
    static _Atomic int64_t cached;
    int64_t bytes = atomic_load_explicit(&cached, memory_order_relaxed);
    if (!bytes) {
        bytes = detect_l2();
        atomic_store_explicit(&cached, bytes, memory_order_relaxed);
    }
    return bytes;
}

int64_t weft_cpu_floats(int64_t room)
{
    int64_t half = weft_cpu_l2() / 2 / (int64_t)sizeof(float);
    return room < half ? room : half;
}
