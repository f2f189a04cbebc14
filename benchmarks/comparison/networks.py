"""Whole networks: weft and its peers take turns, round after round."""
import statistics
import sys

from comparison.processes import Failed

SECONDS = 2.0  # that a peer times steps in each process, unless others are asked for

# A variant that is this much slower than the fastest peer in the first round is not run again.
HOPELESS = 1.25


def say(text):
    print(text, file=sys.stderr, flush=True)


class Series:
    """What one contestant reported of one workload, round after round."""

    def __init__(self, contestant):
        self.contestant, self.reports, self.failure = contestant, [], None

    def run(self, workload):
        if self.failure:
            return
        try:
            self.reports.append(self.contestant.measure(workload))
        except Failed as failed:
            self.failure = str(failed)
            say(f'  {self.contestant.name}: {self.failure}')

    def median_ms(self):
        return statistics.median(report['median_ms'] for report in self.reports)

    def result(self, workload):
        if self.failure:
            return {'failure': self.failure}
        median = self.median_ms()
        resident = [report.get('peak_resident_bytes') for report in self.reports]
        result = {'median_ms': median, 'rounds_ms': [r['median_ms'] for r in self.reports],
                  'disturbed': statistics.median(r['disturbed'] for r in self.reports),
                  'gflops': workload.flops / median * 1e-6,
                  'peak_resident_bytes': statistics.median(resident) if all(resident) else None}
        for key in ('arena_bytes', 'bound_bytes', 'version'):
            if key in self.reports[0]:
                result[key] = self.reports[0][key]
        return result


def drop_hopeless(series):
    times = [one.median_ms() for one in series if one.reports]
    return [one for one in series
            if not one.reports or one.median_ms() <= HOPELESS * min(times)]


def compare(workload, weft, peers, rounds):
    """One row: weft, each peer with its better variant, and the ratio of the best to weft."""
    ours = [Series(weft)] if weft else []
    theirs = [Series(peer) for peer in peers if peer.measures(workload)]
    contenders = theirs
    for number in range(rounds):
        for one in ours + contenders:
            one.run(workload)
        if number == 0:
            contenders = drop_hopeless(theirs)
    row = {'network': workload.network.name, 'mode': workload.mode, 'batch': workload.batch,
           'flops': workload.flops, 'floor': workload.floor,
           'weft': ours[0].result(workload) if ours else None, 'peers': {}}
    for one in theirs:
        result = {'variant': one.contestant.variant, **one.result(workload)}
        best = row['peers'].get(one.contestant.name)
        if best is None or 'failure' in best or \
                result.get('median_ms', float('inf')) < best['median_ms']:
            row['peers'][one.contestant.name] = result
    finish(row)
    return row


def finish(row):
    """The best peer and the ratio, where there are any."""
    timed = {name: peer for name, peer in row['peers'].items() if 'median_ms' in peer}
    row['best_peer'] = min(timed, key=lambda name: timed[name]['median_ms'], default=None)
    row['ratio'] = None
    if row['best_peer'] and row['weft'] and 'median_ms' in row['weft']:
        row['ratio'] = timed[row['best_peer']]['median_ms'] / row['weft']['median_ms']
