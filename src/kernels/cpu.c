#include "kernels/cpu.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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
