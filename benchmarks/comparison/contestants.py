"""Who runs a network: weft and its peers, each able to time a workload in a process of its own."""
import hashlib
import shutil
import sys
from pathlib import Path

from comparison.processes import KEEP_MEMORY, Failed

PEERS = Path(__file__).resolve().parent.parent / 'peers'


def torch_environment():
    """OpenBLAS does not know every processor, and takes its AVX-512 kernels when told to."""
    try:
        avx512 = ' avx512dq ' in Path('/proc/cpuinfo').read_text('ascii')
    except OSError:
        avx512 = False
    return {**KEEP_MEMORY, **({'OPENBLAS_CORETYPE': 'SkylakeX'} if avx512 else {})}


class Weft:
    """The command-line tool."""
    name = 'weft'

    def __init__(self, runner, tool, options):
        self.runner, self.tool, self.options = runner, tool, options

    def measure(self, workload):
        return self.runner.report([
            self.tool, 'bench', workload.network.name, '--mode', workload.program,
            '--batch', workload.batch, '--threads', self.options.threads, '--json'])


class Torch:
    """PyTorch, threads bound, in one layout; for inference also frozen and optimized by its jit."""

    def __init__(self, runner, python, layout, jit, options):
        self.runner, self.python, self.options = runner, python, options
        self.layout, self.jit = layout, jit
        self.name = 'PyTorch jit' if jit else 'PyTorch'
        self.variant = layout

    def measures(self, workload):
        return workload.program == 'infer' or not self.jit

    def measure(self, workload):
        command = [self.python, '-B', PEERS / 'torch_network.py', workload.network.name,
                   '--mode', workload.program, '--batch', workload.batch,
                   '--threads', self.options.threads, '--layout', self.layout,
                   '--seconds', self.options.seconds]
        return self.runner.report(command + (['--jit'] if self.jit else []), torch_environment())


class OnnxRuntime:
    """ONNX Runtime, which only infers, on models that PyTorch exports into the cache."""
    name = 'ONNX Runtime'
    variant = ''

    def __init__(self, runner, python, options):
        self.runner, self.python, self.options = runner, python, options
        self.cache = options.cache
        definitions = (PEERS / 'torch_networks.py').read_bytes()
        self.version = hashlib.sha256(definitions).hexdigest()[:8]

    def measures(self, workload):
        return workload.program == 'infer'

    def model(self, network):
        path = self.cache / f'{network.name}-{self.version}.onnx'
        if not path.exists():
            if not self.python:
                raise Failed('PyTorch, which exports the model, is missing')
            fresh = path.with_suffix('.part')
            self.runner.text([self.python, '-B', PEERS / 'torch_network.py', network.name,
                              '--export', fresh])
            fresh.rename(path)
        return path

    def measure(self, workload):
        network = workload.network
        return self.runner.report([
            'node', PEERS / 'onnx_runtime.mjs', self.cache, self.model(network), workload.batch,
            self.options.threads, self.options.seconds, ','.join(map(str, network.image))],
            KEEP_MEMORY)


def python_with_torch(runner, wanted):
    """A python3 that has PyTorch, and whether it loads a fast library of matrix products."""
    look = 'import torch, torchvision; print(open("/proc/self/maps").read())'
    for python in (wanted,) if wanted else (sys.executable, '/usr/bin/python3'):
        try:
            libraries = runner.text([python, '-c', look])
            return python, any(name in libraries for name in ('openblas', 'mkl_', 'blis'))
        except Failed:
            pass
    return None, False


def peers(runner, options):
    """Those that are installed, and a line for what is missing of each."""
    present, missing = [], []
    python, fast = python_with_torch(runner, options.python)
    if python:
        present += [Torch(runner, python, layout, jit, options)
                    for jit in (False, True) for layout in ('nchw', 'nhwc')]
        if not fast:
            missing.append('PyTorch has the reference BLAS only: its dense layers are slow')
    else:
        missing.append('PyTorch is skipped: no python3 with torch and torchvision')
    if not shutil.which('node'):
        missing.append('ONNX Runtime is skipped: no node')
    elif not (options.cache / 'node_modules/onnxruntime-node').is_dir():
        missing.append(f'ONNX Runtime is skipped: no onnxruntime-node in {options.cache}')
    else:
        present.append(OnnxRuntime(runner, python, options))
    return present, missing
