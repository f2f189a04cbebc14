#include "common/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double seconds_between_frames = 0.1, seconds_between_lines = 10;

double progress_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

progress progress_begin(const char *score_name, int epochs, int64_t epoch_images)
{
    double now = progress_clock();
    return (progress){
        .score_name = score_name,
        .epochs = epochs,
        .epoch_images = epoch_images,
        .terminal = isatty(STDOUT_FILENO),
        .started = now,
        .shown = now,
    };
}

static int terminal_width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* The bar takes what the figures leave free of the line. */
static void draw_bar(const char *head, const char *figures, double part)
{
    char line[41];
    int width = terminal_width() - (int)strlen(head) - (int)strlen(figures) - 5;
    width = width > 40 ? 40 : width;
    int full = (int)(part * width);
    for (int i = 0; i < width; i++)
        line[i] = i < full ? '#' : '.';
    if (width >= 5)
        printf("\r%s [%.*s] %s\033[K", head, width, line, figures);
    else
        printf("\r%s %s\033[K", head, figures);
    fflush(stdout);
}

void progress_update(progress *bar, int epoch, int64_t done, double loss, double score)
{
    double now = progress_clock();
    double pause = bar->terminal ? seconds_between_frames : seconds_between_lines;
    if (now - bar->shown < pause)
        return;
    bar->shown = now;
    int64_t all = bar->epochs * bar->epoch_images;
    int64_t seen = epoch * bar->epoch_images + done;
    double speed = (double)seen / (now - bar->started);
    int left = (int)((double)(all - seen) / speed + 0.5);
    char head[40], figures[160];
    snprintf(head, sizeof(head), "epoch %d/%d", epoch + 1, bar->epochs);
    snprintf(figures, sizeof(figures), "loss %.4f  %s %.4f  %.0f images/s  %d:%02d left", loss,
             bar->score_name, score, speed, left / 60, left % 60);
    if (bar->terminal)
        draw_bar(head, figures, (double)done / (double)bar->epoch_images);
    else {
        printf("%s  %3.0f%%  %s\n", head, 100.0 * (double)done / (double)bar->epoch_images,
               figures);
        fflush(stdout);
    }
}

void progress_epoch(progress *bar, int epoch, double loss, double score, double test_loss,
                    double test_score)
{
    const char *name = bar->score_name;
    printf("%sepoch %d/%d  loss %.4f  %s %.4f  test loss %.4f  test %s %.4f  %.1f s%s\n",
           bar->terminal ? "\r" : "", epoch + 1, bar->epochs, loss, name, score, test_loss, name,
           test_score, progress_clock() - bar->started, bar->terminal ? "\033[K" : "");
    fflush(stdout);
    bar->shown = progress_clock();
}
