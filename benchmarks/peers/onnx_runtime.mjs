// Times inference of an ONNX model in ONNX Runtime. One process, one measurement, one JSON line.
//
//     node onnx_runtime.mjs MODULES MODEL BATCH THREADS SECONDS C,H,W
//
// MODULES is the directory that holds node_modules/onnxruntime-node.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [modules, model, batch, threads, seconds, extents] = process.argv.slice(2);
const runtime = createRequire(resolve(modules, 'package.json'))('onnxruntime-node');

function peakResident() {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
}

const before = peakResident();
const session = await runtime.InferenceSession.create(model, {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  executionMode: 'sequential',
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
  freeDimensionOverrides: { n: Number(batch) },
});
const shape = [batch, ...extents.split(',')].map(Number);
const image = new Float32Array(shape.reduce((a, b) => a * b));
let random = 1;
for (let i = 0; i < image.length; i++) {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  image[i] = random / 2 ** 31 - 1;
}
const feeds = { image: new runtime.Tensor('float32', image, shape) };

for (let i = 0; i < 2; i++) await session.run(feeds);
const times = [];
const until = performance.now() + Number(seconds) * 1e3;
while (times.length < 3 || performance.now() < until) {
  const start = performance.now();
  await session.run(feeds);
  times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
const middle = times.length >> 1;
console.log(JSON.stringify({
  median_ms: times.length % 2 ? times[middle] : (times[middle - 1] + times[middle]) / 2,
  min_ms: times[0],
  runs: times.length,
  peak_resident_bytes: peakResident() - before,
  version: JSON.parse(readFileSync(resolve(modules, 'node_modules/onnxruntime-node/package.json'))).version,
}));
