"""Single convolutions: weft's kernels next to oneDNN's, direct and Winograd, pass by pass."""
import statistics
import subprocess
from pathlib import Path

from comparison.networks import say
from comparison.processes import KEEP_MEMORY, Failed
from comparison.tables import number, render

LAYERS = Path(__file__).resolve().parent.parent / 'layers.txt'
PASSES = ('forward', 'input_gradient', 'filter_gradient')
PEERS = ('direct', 'winograd')
MIXED = 'misc'  # the set that is no network
SECONDS = 0.1  # of timing for each pass in each process, unless others are asked for


class Layer:
    """A line of layers.txt: a set, a descriptor, and how often a network has it."""

    def __init__(self, line):
        self.set, *words = line.split()
        self.descriptor = ' '.join(words)
        self.letters = {word[0]: int(word[1:]) for word in words}
        self.times = self.letters.get('x', 1)

    def reads_image(self):
        """Then no network asks for its input gradient."""
        return self.letters['c'] <= 3

    def flops(self):
        """Of one pass, as layer_flops() in layer.c counts them."""
        value = self.letters
        kernel = (value['r'], value.get('q', value['r']))
        pad = (value.get('p', 0), value.get('o', value.get('p', 0)))
        pixels = 1
        for extent, window, border in zip((value['h'], value.get('w', value['h'])), kernel, pad):
            reach = value.get('d', 1) * (window - 1) + 1
            pixels *= extent if value.get('t') else \
                (extent + 2 * border - reach) // value.get('s', 1) + 1
        return 2 * value['n'] * pixels * kernel[0] * kernel[1] * \
            value['c'] // value.get('g', 1) * value['k']


def read_layers(sets):
    lines = LAYERS.read_text('ascii').splitlines()
    layers = [Layer(line) for line in lines if line and not line.startswith('#')]
    known = list(dict.fromkeys(layer.set for layer in layers))
    for name in sets:
        if name not in known:
            raise SystemExit(f'compare: no set "{name}" of layers; there are {", ".join(known)}')
    return [layer for layer in layers if not sets or layer.set in sets]


def build_onednn(build):
    """The program that measures oneDNN, or None: the build knows it where oneDNN 2 is installed."""
    try:
        subprocess.run(['ninja', '-C', str(build), 'benchmarks/onednn_convolution'], check=True,
                       capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        say('oneDNN is skipped: no libdnnl 2 (install it, then run "meson setup --reconfigure")')
        return None
    return build / 'benchmarks/onednn_convolution'


def commands(layer, options, onednn):
    threads, seconds = options.threads, options.seconds
    result = {'weft': [options.build / 'benchmarks/bench_convolution', '--json', '--threads',
                       threads, '--seconds', seconds, layer.descriptor]}
    for algorithm in PEERS if onednn else ():
        result[algorithm] = [onednn, algorithm, threads, seconds, layer.descriptor]
    return result


def compare_layer(runner, layer, options, onednn):
    """By pass and contestant: median of the rounds' medians, in milliseconds, or None."""
    rounds = []
    for _ in range(options.rounds):
        rounds.append({name: runner.report(command, None if name == 'weft' else KEEP_MEMORY)
                       for name, command in commands(layer, options, onednn).items()})
    row = {'set': layer.set, 'layer': layer.descriptor, 'times': layer.times,
           'flops': layer.flops(), 'passes': {}}
    for one in PASSES:
        row['passes'][one] = times = {}
        for name in rounds[0]:
            reports = [report[name][one] for report in rounds if one in report[name]]
            times[name] = statistics.median(r['median_ms'] for r in reports) if reports else None
        times['algorithm'] = rounds[0]['weft'][one]['algorithm']
    return row


def best_peer(times):
    return min((times[name] for name in PEERS if times.get(name)), default=None)


def ratio(times):
    best = best_peer(times)
    return best / times['weft'] if best else None


def compare(runner, options):
    """A row for each layer, and the descriptors of those that failed."""
    onednn = build_onednn(options.build)
    rows, failures = [], []
    for layer in read_layers(options.model):
        try:
            row = compare_layer(runner, layer, options, onednn)
        except Failed as failed:
            say(f'{layer.descriptor}: {failed}')
            failures.append(layer.descriptor)
            continue
        rows.append(row)
        say(f'{layer.set} {layer.descriptor}: ' +
            ', '.join(number(ratio(row['passes'][one]), 2) for one in PASSES))
    runner.release()
    return rows, failures


def rates(flops, times):
    return ' / '.join(number(flops / times[name] * 1e-6 if times.get(name) else None, 0)
                      for name in ('weft',) + PEERS)


def total(rows, one):
    """The times of a pass over a network: each contestant's, and the better of a peer's two."""
    sums = {'weft': 0.0, 'best': 0.0, 'flops': 0.0}
    for row in rows:
        if one == 'input_gradient' and Layer(f'{row["set"]} {row["layer"]}').reads_image():
            continue
        times = row['passes'][one]
        best = best_peer(times)
        if best:
            sums['weft'] += row['times'] * times['weft']
            sums['best'] += row['times'] * best
            sums['flops'] += row['times'] * row['flops']
    return sums


def total_cells(rows, peak):
    cells = ['all']
    for one in PASSES:
        sums = total(rows, one)
        if not sums['best']:
            cells += ['–', '–']
            continue
        weft = sums['flops'] / sums['weft'] * 1e-6
        share = f' ({100 * weft / peak:.0f}%)' if peak else ''
        cells += [f'{weft:.0f}{share} / {sums["flops"] / sums["best"] * 1e-6:.0f}',
                  number(sums['best'] / sums['weft'], 2)]
    return cells


def set_table(name, rows, peak, markdown):
    head = ['layer']
    for title in ('forward', 'input gradient', 'filter gradient'):
        head += [title, 'ratio']
    body = []
    for row in rows:
        cells = [row['layer']]
        for one in PASSES:
            times = row['passes'][one]
            cells += [rates(row['flops'], times), number(ratio(times), 2)]
        body.append(cells)
    if name != MIXED:
        body.append(total_cells(rows, peak))
    title = f'### Layers: {name}' if markdown else f'Layers: {name}'
    return f'{title}\n\n{render(head, body, markdown)}\n'


def text(result, markdown):
    """GFLOP/s of weft / oneDNN direct / oneDNN Winograd; the last line weighs layers by their number
    and takes oneDNN's better algorithm."""
    rows, peak = result['layers'], result['machine'].get('peak_gflops')
    sets = dict.fromkeys(row['set'] for row in rows)
    legend = 'GFLOP/s of weft / oneDNN direct / oneDNN Winograd; "all" weighs layers by their ' \
        'number in the network, without input gradients of images, and has weft / the better of oneDNN.\n\n'
    return legend + '\n'.join(
        set_table(name, [row for row in rows if row['set'] == name], peak, markdown)
        for name in sets)
