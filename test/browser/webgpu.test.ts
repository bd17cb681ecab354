import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createScene } from '../../src/demo/index.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import { encodePng } from '../../src/node/write-image.ts';
import { type GraphBuilder, graphBuilder, modelOf, writeModel } from '../../src/onnx/index.ts';
import type { SelfTest } from '../../src/runtime/device-report.ts';
import { createRandom } from '../../src/tensor/random.ts';
import { testGraphs } from '../../src/web/devices/test-graphs.ts';
import { CHROMIUM, canRun } from '../studio/studio.ts';
import { type Site, serve } from './site.ts';

/** A small classifier: what the adapter computes in software takes long. */
function network(): Uint8Array {
  const builder = graphBuilder({ opset: 17 });
  const random = createRandom(0);
  const weight = (...shape: number[]): string => {
    const size = shape.reduce((a, b) => a * b);
    const scale = Math.sqrt((2 * (shape[0] ?? 1)) / size);
    return builder.constant(
      Float32Array.from({ length: size }, () => scale * random.normal()),
      shape,
    );
  };
  const window: Parameters<GraphBuilder['add']>[2] = {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  };
  const x = builder.input('x', 'float32', ['n', 3, 64, 64]);
  const first = builder.add('Relu', [builder.add('Conv', [x, weight(8, 3, 3, 3)], window)]);
  const pooled = builder.add('MaxPool', [first], window);
  const second = builder.add('Relu', [builder.add('Conv', [pooled, weight(12, 8, 3, 3)], window)]);
  const features = builder.add('Flatten', [builder.add('GlobalAveragePool', [second])]);
  builder.add('Gemm', [features, weight(5, 12)], { transB: 1 }, 'y');
  builder.output('y', 'float32', ['n', 5]);
  return writeModel(modelOf(builder.finish()));
}

/** A page that opens explainers, whose worker can be given a fault. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>gpu</title><link rel="icon" href="data:,">
<script type="module">
import { createExplainer } from '/dist/worker/index.js';
import { readImage } from '/dist/web/read-image.js';
const open = (options, faults = '') => createExplainer({
  model: 'model.onnx',
  startWorker: () => new Worker('/worker.js?' + faults, { type: 'module' }),
  wasmPaths: '/node_modules/onnxruntime-web/dist/',
  threads: 1,
  device: 'webgpu',
  ...options,
});
const loseDevice = () => new BroadcastChannel('faults').postMessage('lose the device');
Object.assign(globalThis, { open, readImage, loseDevice });
</script>`;

/** A worker that loses its device if it is told to, and can read wrong numbers from the device. */
const WORKER = `
import '/dist/worker/standalone.js';
const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (...args) {
  const device = await requestDevice.apply(this, args);
  new BroadcastChannel('faults').onmessage = () => device.destroy();
  return device;
};
const { getMappedRange } = GPUBuffer.prototype;
if (location.search.includes('wrong'))
  GPUBuffer.prototype.getMappedRange = function (...args) {
    const range = getMappedRange.apply(this, args);
    if (!(this.usage & GPUBufferUsage.MAP_READ)) return range;
    return Float32Array.from(new Float32Array(range), (value) => 1.02 * value).buffer;
  };
if (location.search.includes('hardware')) // as if the adapter were not software
  Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', { value: false });
`;

/** What the page has on its global object, for functions that run there. */
declare const open: (
  options?: import('../../src/worker/index.ts').ExplainerOptions,
  faults?: string,
) => Promise<import('../../src/worker/index.ts').Explainer>;
declare const readImage: typeof import('../../src/web/read-image.ts').readImage;
declare const loseDevice: () => void;

describe.skipIf(!canRun())('WebGPU in software', { timeout: 400_000 }, () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  let selfTest: SelfTest | undefined;
  const fetched: string[] = [];

  /** The files of ONNX Runtime's build with WebGPU that the page has fetched. */
  const webGpuFiles = () => fetched.filter((path) => path.includes('asyncify'));

  beforeAll(async () => {
    const { image } = createScene(await loadSprites(), 88_000_100, { className: 'teapot' });
    const made = new Map<string, string | Uint8Array>([
      ['/', PAGE],
      ['/worker.js', WORKER],
      ['/model.onnx', network()],
      ['/scene.png', await encodePng(image)],
    ]);
    site = await serve(['dist', 'node_modules'], made);
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--enable-unsafe-webgpu'],
    });
  });

  beforeEach(async () => {
    await page?.close();
    page = await browser.newPage();
    page.setDefaultTimeout(300_000);
    fetched.length = 0;
    page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
    await page.goto(site.address);
    await page.waitForFunction(() => 'open' in globalThis);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  it('makes the maps of WebAssembly, says what was compared, and survives a lost device', async () => {
    const found = await page.evaluate(async () => {
      const picture = await readImage('/scene.png');
      const requests = [{ method: 'grad-cam' }, { method: 'rise', options: { N: 8 } }] as const;
      const mapsOf = async (explainer: Awaited<ReturnType<typeof open>>) => {
        const maps: Float32Array[] = [];
        for (const request of requests)
          maps.push((await explainer.explain(picture, request)).map.data);
        return maps;
      };
      const cpu = await open({ device: 'cpu' });
      const wanted = await mapsOf(cpu);
      cpu.dispose();
      const reloads: (string | undefined)[] = [];
      const gpu = await open({ onReload: ({ device }) => reloads.push(device?.reason) });
      const { device } = gpu.model;
      const maps = await mapsOf(gpu);
      const { manifest } = await gpu.explain(picture, { method: 'grad-cam' });
      loseDevice();
      const again = await mapsOf(gpu);
      const second = gpu.model.device?.device;
      loseDevice();
      const atLast = await gpu.explain(picture, { method: 'grad-cam' });
      return {
        ...{ wanted, device, maps, again, reloads, second, cpu: cpu.model.device },
        ...{ recorded: manifest.model.device, atLast: atLast.manifest.model },
      };
    });
    const { wanted, device, maps, again, reloads, second } = found;
    selfTest = device?.selfTest;
    expect(found.cpu).toBeUndefined();
    expect(device).toMatchObject({
      device: 'webgpu',
      adapter: 'google swiftshader',
      reason: 'WebGPU computes what WebAssembly computes',
    });
    const differences = Object.values({ ...device?.selfTest?.differences, ...device?.model });
    expect(differences).toHaveLength(testGraphs.length + 3);
    for (const difference of differences) expect(difference).toBeLessThan(1e-4);
    expect(found.recorded).toEqual(device);
    for (const [i, expected] of wanted.entries()) {
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(maps[i]).toBeAllClose(expected, { rtol: 0, atol: 1e-3 * largest });
      expect(again[i]).toBeAllClose(expected, { rtol: 0, atol: 1e-3 * largest });
    }
    expect(second).toBe('webgpu');
    const reason = 'the graphics device was lost 2 times';
    expect(reloads).toEqual([device?.reason, reason]);
    expect(found.atLast).toMatchObject({
      runtime: expect.stringContaining('(wasm)'),
      device: { device: 'wasm', adapter: 'google swiftshader', reason },
    });
    expect(webGpuFiles()).not.toEqual([]);
  });

  it('refuses a device that computes wrong scores', async () => {
    const found = await page.evaluate(async (known) => {
      const options = { selfTest: known };
      const error = await open(options, 'wrong').catch(({ code, message }) => [code, message]);
      const explainer = await open({ ...options, device: 'auto' }, 'wrong,hardware');
      const { probabilities } = await explainer.classify(await readImage('/scene.png'));
      const { device, runtime } = explainer.model;
      return { error, device, runtime, sum: probabilities.reduce((a, b) => a + b) };
    }, selfTest);
    const reason =
      'WebGPU and WebAssembly do not agree on scores and altered copies and gradient of this model';
    expect(found.error).toEqual([
      'runtime',
      `the device webgpu is not available: ${reason}; use the device cpu`,
    ]);
    expect(found.runtime).toMatch(/\(wasm\)$/);
    expect(found.device).toMatchObject({ device: 'wasm', reason, selfTest });
    expect(found.device?.model?.scores).toBeCloseTo(0.02, 3);
    expect(found.sum).toBeCloseTo(1, 4);
  });

  it('does not fetch the build with WebGPU for a device that it will not use', async () => {
    const found = await page.evaluate(async (known) => {
      const wrong = { ...known, differences: { ...known?.differences, Conv: 0.5 } } as SelfTest;
      const software = await open({ device: 'auto' });
      const tested = await open({ device: 'auto', selfTest: wrong }, 'hardware');
      return [software.model.device, tested.model.device];
    }, selfTest);
    expect(found[0]).toEqual({
      device: 'wasm',
      adapter: 'google swiftshader',
      reason: 'the WebGPU adapter of this browser is software',
    });
    expect(found[1]).toMatchObject({
      device: 'wasm',
      reason: 'WebGPU does not compute what WebAssembly computes on this device (Conv)',
    });
    expect(webGpuFiles()).toEqual([]);
  });
});
