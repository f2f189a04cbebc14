"""Times one network in PyTorch, or exports it as ONNX. One process, one measurement, one JSON line.

    torch_network.py NETWORK --mode train|infer --batch N --threads N --layout nchw|nhwc [--jit]
                     [--seconds S]
    torch_network.py NETWORK --export FILE
"""
import argparse
import json
import os
import re
import statistics
import time
import warnings


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument('network')
    parser.add_argument('--mode', choices=['train', 'infer'], default='train')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--layout', choices=['nchw', 'nhwc'], default='nchw')
    parser.add_argument('--jit', action='store_true', help='freeze, optimize_for_inference')
    parser.add_argument('--seconds', type=float, default=2.0)
    parser.add_argument('--export', metavar='FILE')
    return parser.parse_args()


def peak_resident():
    """Bytes: the process's peak so far."""
    with open('/proc/self/status', encoding='ascii') as status:
        return int(re.search(r'VmHWM:\s+(\d+)', status.read())[1]) * 1024


def trainer(network, image, label):
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(network(image), label).backward()
        optimizer.step()
    return step


def predictor(network, image, jit):
    network.eval()
    if jit:
        with torch.no_grad():
            network = torch.jit.freeze(torch.jit.script(network))
            network = torch.jit.optimize_for_inference(network)

    def step():
        with torch.no_grad():
            network(image)
    return step


def timed(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def measure(step, warm_up, seconds):
    """Seconds of each step, sorted: at least three, until `seconds` have passed."""
    for _ in range(warm_up):
        step()
    until, times = time.perf_counter() + seconds, []
    while len(times) < 3 or time.perf_counter() < until:
        times.append(timed(step))
    return sorted(times)


def main(options):
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    build, extents, classes, per_pixel = NETWORKS[options.network]
    before = peak_resident()
    network = build()
    if options.export:
        torch.onnx.export(network.eval(), torch.randn(1, *extents), options.export,
                          opset_version=13, input_names=['image'], output_names=['logits'],
                          dynamic_axes={'image': {0: 'n'}, 'logits': {0: 'n'}})
        return
    image = torch.randn(options.batch, *extents)
    if options.layout == 'nhwc':
        network = network.to(memory_format=torch.channels_last)
        image = image.to(memory_format=torch.channels_last)
    label = torch.randint(0, classes, (options.batch, *(extents[1:] if per_pixel else ())))
    if options.mode == 'train':
        step = trainer(network, image, label)
    else:
        step = predictor(network, image, options.jit)
    # The first steps make what is kept between steps; the jit compiles in the first two.
    times = measure(step, 4 if options.jit else 1, options.seconds)
    print(json.dumps({'median_ms': statistics.median(times) * 1e3, 'min_ms': times[0] * 1e3,
                      'runs': len(times), 'peak_resident_bytes': peak_resident() - before,
                      'version': torch.__version__}))


OPTIONS = arguments()
# Both are read when the libraries are loaded. Unbound threads often share a processor.
os.environ.setdefault('OMP_PROC_BIND', 'true')
os.environ['OMP_NUM_THREADS'] = os.environ['OPENBLAS_NUM_THREADS'] = str(OPTIONS.threads)
warnings.filterwarnings('ignore')
import torch  # noqa: E402
from torch_networks import NETWORKS  # noqa: E402

main(OPTIONS)
