/* Two builds of weft side by side: both libraries in one process, each with its own copy of everything, run the same
 * model in turn, a fraction of a second each. What neighbours do to a machine meets both, and so their ratio is known
 * to some two percent where times by themselves differ by a third.
 *
 *     bench_builds --against OTHER_BUILD_DIRECTORY MODEL [--mode infer] [--batch 1] [--seconds 10]
 *
 * Options of `weft bench` choose the workload; --help lists them. */
#include "builds_module.h"
#include "cli/quantile.h"
#include "measure.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_ROUNDS = 10000, FEWEST_ROUNDS = 3, MOST_RUNS = 1000 };

typedef struct build {
    const char *directory;
    bool (*prepare)(int argc, char **argv, builds_settings *settings, int *status);
    double (*run)(void);
    void (*close)(void);
    double time[MOST_ROUNDS]; /* of a round: the median of its runs */
} build;

/* The module of a build directory. */
static bool load(build *b, const char *directory)
{
    char path[2 * PATH_MAX];
    if (snprintf(path, sizeof path, "%s/benchmarks/libbuilds_module.so", directory) >=
        (int)sizeof path) {
        fprintf(stderr, "bench_builds: %s: too long a name\n", directory);
        return false;
    }
    void *module = dlmopen(LM_ID_NEWLM, path, RTLD_NOW | RTLD_LOCAL);
    if (module) {
        b->directory = directory;
        *(void **)&b->prepare = dlsym(module, "builds_prepare");
        *(void **)&b->run = dlsym(module, "builds_run");
        *(void **)&b->close = dlsym(module, "builds_close");
    }
    if (module && b->prepare && b->run && b->close)
        return true;
    fprintf(stderr, "bench_builds: %s\n", dlerror());
    return false;
}

/* The build directory that this program lies in, in benchmarks/. */
static bool own_directory(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length < 0) {
        perror("bench_builds: /proc/self/exe");
        return false;
    }
    path[length] = '\0';
    for (int up = 0; up < 2; up++)
        *strrchr(path, '/') = '\0';
    return true;
}

/* The median of `runs` runs after one that finds its data again. */
static bool run_round(build *b, int runs, double *median)
{
    static double time[MOST_RUNS];
    if (runs > 1 && b->run() < 0)
        return false;
    for (int i = 0; i < runs; i++)
        if ((time[i] = b->run()) < 0)
            return false;
    *median = quantile(time, runs, 0.5);
    return true;
}

/* Returns the number of rounds; 0 after an error. */
static int measure(build *builds, double seconds, int *runs)
{
    double one = 0;
    for (int i = 0; i < 3; i++)
        for (int b = 0; b < 2; b++)
            if ((one = builds[b].run()) < 0)
                return 0;
    const double round = 0.02; /* seconds of a build's turn, or one run */
    *runs = one < round ? (int)(round / one) + 1 : 1;
    *runs = *runs < MOST_RUNS ? *runs : MOST_RUNS;
    int rounds = 0;
    for (double start = measure_seconds();
         rounds < MOST_ROUNDS && (rounds < FEWEST_ROUNDS || measure_seconds() - start < seconds);
         rounds++)
        for (int i = 0; i < 2; i++) {
            build *b = &builds[(i + rounds) % 2];
            if (!run_round(b, *runs, &b->time[rounds]))
                return 0;
        }
    return rounds;
}

static void print(const builds_settings *settings, build *builds, int rounds, int runs)
{
    static double ratio[MOST_ROUNDS];
    for (int i = 0; i < rounds; i++)
        ratio[i] = builds[1].time[i] / builds[0].time[i];
    double low = quantile(ratio, rounds, 0.25), high = quantile(ratio, rounds, 0.75);
    printf("%s, %s: %d rounds of %d runs\n", settings->model, settings->mode, rounds, runs);
    double least[2];
    for (int b = 0; b < 2; b++) {
        double median = quantile(builds[b].time, rounds, 0.5);
        least[b] = quantile(builds[b].time, rounds, 0);
        printf("  %9.3f ms, %9.3f at least  %s\n", median * 1e3, least[b] * 1e3,
               builds[b].directory);
    }
    printf(
        "  ratio %.3f (above 1: the first build is faster), in half of the rounds %.3f to %.3f; of "
        "the least times %.3f\n",
        quantile(ratio, rounds, 0.5), low, high, least[1] / least[0]);
}

int main(int argc, char **argv)
{
    /* Threads of one build do not wait for work while the other one runs. */
    if (!getenv("OMP_WAIT_POLICY")) {
        setenv("OMP_WAIT_POLICY", "passive", 1);
        execv("/proc/self/exe", argv);
    }
    static build builds[2];
    builds_settings settings;
    char here[PATH_MAX];
    int rounds = 0, runs = 0, status = 1;
    if (own_directory(here, sizeof here) && load(&builds[0], here) &&
        builds[0].prepare(argc, argv, &settings, &status) && load(&builds[1], settings.against) &&
        builds[1].prepare(argc, argv, &settings, &status))
        rounds = measure(builds, settings.seconds, &runs);
    if (rounds) {
        print(&settings, builds, rounds, runs);
        status = 0;
    }
    for (int b = 0; b < 2; b++)
        if (builds[b].close)
            builds[b].close();
    return status;
}
