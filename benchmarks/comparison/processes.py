"""Running one measurement in a process of its own."""
import contextlib
import fcntl
import json
import os
import subprocess
import time

# glibc keeps freed memory instead of mapping each array anew, and uses huge pages: the strongest
# setting of peers that allocate while they run. weft maps its arena once and is not concerned.
KEEP_MEMORY = {
    'MALLOC_MMAP_THRESHOLD_': str(4 << 30),
    'MALLOC_TRIM_THRESHOLD_': str(16 << 30),
    'MALLOC_TOP_PAD_': str(256 << 20),
    'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1',
}

# A measurement is disturbed, and repeated, by more than this share of its time: both that its threads
# waited for a processor (they may wait for each other) and that others used one (it may have been idle).
QUIET = 0.05
ATTEMPTS = 3
GLANCE = 0.25  # seconds between looks at how long they waited

TURN = 45  # seconds after which the lock goes to others, when a measurement ends


class Failed(Exception):
    """A process that did not report; the text says what it wrote instead."""


def waited(process, so_far):
    """Updates the seconds, by thread, that the threads of a process were ready but not run."""
    tasks = f'/proc/{process}/task'
    try:
        for task in os.listdir(tasks):
            with open(f'{tasks}/{task}/schedstat', encoding='ascii') as file:
                so_far[task] = int(file.read().split()[1]) * 1e-9
    except OSError:
        pass  # it has just ended


def used_by_others():
    """Seconds of all processors that neither this process nor its finished children had."""
    with open('/proc/stat', encoding='ascii') as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    used = (user + nice + system + irq + softirq + steal) / os.sysconf('SC_CLK_TCK')
    own = os.times()
    return used - own.user - own.system - own.children_user - own.children_system


class Runner:
    """Runs commands one at a time; with a lock file, while no one else holds its lock."""

    def __init__(self, lock=None):
        self.lock = open(lock, 'a', encoding='ascii') if lock else None
        self.since = None

    @contextlib.contextmanager
    def alone(self):
        """Waiting may take long, so that a turn serves several measurements."""
        if self.lock and self.since is None:
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            self.since = time.monotonic()
        try:
            yield
        finally:
            if self.since is not None and time.monotonic() - self.since > TURN:
                self.release()

    def release(self):
        if self.since is not None:
            fcntl.flock(self.lock, fcntl.LOCK_UN)
            self.since = None

    def text(self, command, environment=None):
        """What the command prints."""
        return self.watched(command, environment)[0]

    def watched(self, command, environment):
        """What the command prints, and the share of its time that others disturbed it."""
        start, used, waits = time.monotonic(), used_by_others(), {}
        try:
            process = subprocess.Popen([str(word) for word in command], text=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE,
                                       env={**os.environ, **(environment or {})})
        except OSError as error:
            raise Failed(str(error)) from error
        while True:
            try:
                printed, complaint = process.communicate(timeout=GLANCE)
                break
            except subprocess.TimeoutExpired:
                waited(process.pid, waits)
        if process.returncode != 0:
            said = complaint.strip().splitlines() or ['no message']
            raise Failed(f'{said[-1]} (status {process.returncode})')
        lost = min(sum(waits.values()), used_by_others() - used)
        return printed, max(0, lost) / (time.monotonic() - start)

    def measured(self, command, environment=None):
        """What the command prints in the least disturbed of a few attempts, and how much it was."""
        best = None
        for _ in range(ATTEMPTS):
            with self.alone():
                attempt = self.watched(command, environment)
            if best is None or attempt[1] < best[1]:
                best = attempt
            if best[1] < QUIET:
                break
        return best

    def report(self, command, environment=None):
        """The last line of what the command prints, as JSON; "disturbed": by which share."""
        printed, share = self.measured(command, environment)
        try:
            return {**json.loads(printed.strip().splitlines()[-1]), 'disturbed': share}
        except (IndexError, ValueError) as error:
            raise Failed('no report') from error
