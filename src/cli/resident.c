#include "cli/resident.h"

#include <inttypes.h>
#include <stdio.h>

/* From /proc, since getrusage's maximum begins with that of the parent process. */
int64_t resident_peak_bytes(void)
{
    int64_t kilobytes = 0;
    char line[200];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "VmHWM: %" SCNd64 " kB", &kilobytes) == 1)
            break;
    if (file)
        fclose(file);
    return kilobytes * 1024;
}
