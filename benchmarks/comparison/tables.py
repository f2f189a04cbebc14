"""Results as tables: aligned text, or the same as markdown. A star marks a time that others
disturbed."""
from comparison.processes import QUIET


def number(value, digits=None):
    """Three digits of it that count, or `digits` behind the point."""
    if value is None:
        return '–'
    if digits is None:
        digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f'{value:.{digits}f}'


def milliseconds(entry):
    if entry is None:
        return '–'
    if 'failure' in entry:
        return 'failed'
    variant = entry.get('variant')
    disturbed = '*' if entry.get('disturbed', 0) > QUIET else ''
    return number(entry['median_ms']) + disturbed + (f' {variant}' if variant else '')


def rate(entry, peak):
    """GFLOP/s and their share of the peak."""
    if entry is None or 'gflops' not in entry:
        return '–'
    share = f' ({100 * entry["gflops"] / peak:.0f}%)' if peak else ''
    return f'{entry["gflops"]:.0f}{share}'


def megabytes(entry):
    value = entry and entry.get('peak_resident_bytes')
    return number(value / 1e6, 0) if value else '–'


def render(head, rows, markdown):
    """Rows of texts below their heads; all but the first column are numbers."""
    width = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]

    def line(row):
        cells = [row[0].ljust(width[0])] + [c.rjust(w) for c, w in zip(row[1:], width[1:])]
        return '| ' + ' | '.join(cells) + ' |' if markdown else '  '.join(cells).rstrip()
    lines = [line(head)]
    if markdown:
        lines.append('|' + '|'.join(['-' * (width[0] + 2)] +
                                    ['-' * (w + 1) + ':' for w in width[1:]]) + '|')
    return '\n'.join(lines + [line(row) for row in rows])


def row_line(row):
    """A row in short, for the progress of a run."""
    times = [f'weft {milliseconds(row["weft"])}'] if row['weft'] else []
    times += [f'{name} {milliseconds(peer)}' for name, peer in row['peers'].items()]
    ratio = f': {number(row["ratio"], 2)}' if row['ratio'] else ''
    return f'{row["network"]} {row["mode"]} {row["batch"]}, ms: {", ".join(times)}{ratio}'


TITLES = {'train': 'Training', 'infer': 'Inference', 'infer1': 'Inference, batch 1'}


def networks_table(rows, mode, peak, markdown):
    rows = [row for row in rows if row['mode'] == mode]
    names = list(dict.fromkeys(name for row in rows for name in row['peers']))
    head = ['network', 'batch', 'weft ms'] + [f'{name} ms' for name in names] + \
        ['ratio', 'floor', 'weft GFLOP/s', 'peer GFLOP/s', 'weft MB', 'peer MB']
    body = []
    for row in rows:
        best = row['peers'].get(row['best_peer'])
        body.append(
            [row['network'], str(row['batch']), milliseconds(row['weft'])] +
            [milliseconds(row['peers'].get(name)) for name in names] +
            [number(row['ratio'], 2), number(row['floor'], 2), rate(row['weft'], peak),
             rate(best, peak), megabytes(row['weft']), megabytes(best)])
    title = f'### {TITLES[mode]}' if markdown else TITLES[mode]
    return f'{title}\n\n{render(head, body, markdown)}\n'


def networks_text(result, markdown):
    modes = dict.fromkeys(row['mode'] for row in result['networks'])
    peak = result['machine'].get('peak_gflops')
    return '\n'.join(networks_table(result['networks'], mode, peak, markdown) for mode in modes)
