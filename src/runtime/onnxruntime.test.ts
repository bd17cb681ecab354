import { describe, expect, it } from 'vitest';
import { FoveaError } from '../errors.ts';
import { graphBuilder } from '../onnx/graph-builder.ts';
import { modelOf, writeModel } from '../onnx/model-proto.ts';
import { isAllocationFailure, reasonOf } from './onnxruntime.ts';
import { createNodeRuntime } from './onnxruntime-node.ts';
import { createWebRuntime } from './onnxruntime-web.ts';
import { agrees } from './probe.ts';
import type { Runtime, RuntimeTensor } from './runtime.ts';
import '../web/webgpu.ts';

/** y = ConstantOfShape(n), which allocates n elements. */
function allocator(opType = 'ConstantOfShape'): Uint8Array {
  const builder = graphBuilder({ opset: 13 });
  builder.add(opType, [builder.input('n', 'int64', [1])], {}, 'y');
  builder.output('y', 'float32', ['n']);
  return writeModel(modelOf(builder.finish()));
}

const length = (n: bigint): Record<string, RuntimeTensor> => ({
  n: { type: 'int64', shape: [1], data: BigInt64Array.of(n) },
});

/** y = x + x, with `type` as type of the input and the output. */
function doubler(type: 'float32' | 'int32' | 'int64' | 'float64'): Uint8Array {
  const builder = graphBuilder({ opset: 14 });
  const x = builder.input('x', type, ['n', 2]);
  builder.add('Add', [x, x], {}, 'y');
  builder.output('y', type, ['n', 2]);
  return writeModel(modelOf(builder.finish()));
}

const runtimes: [string, () => Promise<Runtime>][] = [
  ['onnxruntime-node', () => createNodeRuntime({ threads: 1 })],
  ['onnxruntime-web', () => createWebRuntime({ threads: 1 })],
];

describe.each(runtimes)('a runtime of %s', (name, create) => {
  it('has a name with its version and device', async () => {
    expect((await create()).name).toMatch(new RegExp(`^${name} 1\\.\\d+\\.\\d+ \\((cpu|wasm)\\)$`));
  });

  it('runs a graph on views into larger buffers', async () => {
    const session = await (await create()).createSession(doubler('float32'));
    const data = Float32Array.of(9, 1, 2, 3, 4, 9).subarray(1, 5);
    const { y } = await session.run({ x: { type: 'float32', shape: [2, 2], data } });
    expect(y).toEqual({ type: 'float32', shape: [2, 2], data: Float32Array.of(2, 4, 6, 8) });
    await session.release();
  });

  it('accepts and returns integers', async () => {
    const runtime = await create();
    const ints = await runtime.createSession(doubler('int32'));
    expect(
      (await ints.run({ x: { type: 'int32', shape: [1, 2], data: Int32Array.of(-3, 4) } })).y.data,
    ).toEqual(Int32Array.of(-6, 8));
    const longs = await runtime.createSession(doubler('int64'));
    expect(
      (
        await longs.run({
          x: { type: 'int64', shape: [1, 2], data: BigInt64Array.of(2n ** 40n, -1n) },
        })
      ).y.data,
    ).toEqual(BigInt64Array.of(2n ** 41n, -2n));
    await Promise.all([ints.release(), longs.release()]);
  });

  it('runs several calls at once without mixing their results', async () => {
    const session = await (await create()).createSession(doubler('float32'));
    const run = (value: number) =>
      session.run({ x: { type: 'float32', shape: [1, 2], data: Float32Array.of(value, value) } });
    const results = await Promise.all([1, 2, 3, 4].map(run));
    expect(results.map(({ y }) => y.data[0])).toEqual([2, 4, 6, 8]);
    await session.release();
  });

  it('releases a session once, and reports a later run', async () => {
    const session = await (await create()).createSession(doubler('float32'));
    await Promise.all([session.release(), session.release()]);
    await expect(session.run({})).rejects.toMatchObject({
      code: 'runtime',
      message: expect.stringContaining('disposed'),
    });
  });

  it('refuses a file that is not a model, or an unknown operator, in one line', async () => {
    const runtime = await create();
    for (const bytes of [
      Uint8Array.of(1, 2, 3),
      allocator().subarray(0, 40),
      allocator('NoSuchOperator'),
    ]) {
      const error = await runtime.createSession(bytes).then(
        () => undefined,
        (e: FoveaError) => e,
      );
      expect(error).toMatchObject({ code: 'model' });
      expect(error?.message).not.toMatch(/\n|onnxruntime_src|ERROR_CODE/);
    }
    const error = await runtime
      .createSession(allocator('NoSuchOperator'))
      .catch((e: FoveaError) => e.message);
    if (name === 'onnxruntime-node') expect(error).toContain('NoSuchOperator');
  });

  it('reports a wrong input as a runtime error', async () => {
    const session = await (await create()).createSession(doubler('float32'));
    await expect(session.run({})).rejects.toMatchObject({ code: 'runtime' });
    await expect(
      session.run({ x: { type: 'int32', shape: [1, 2], data: Int32Array.of(1, 2) } }),
    ).rejects.toMatchObject({ code: 'runtime' });
    await session.release();
  });

  it('reports allocation failures recognisably, and works after one', async () => {
    const session = await (await create()).createSession(allocator());
    for (const n of name === 'onnxruntime-web' ? [1_073_500_000n, 10n ** 13n] : [10n ** 13n]) {
      const error = await session.run(length(n)).then(
        () => 'it ran',
        (e: unknown) => e,
      );
      expect(error).toMatchObject({ code: 'runtime' });
      expect(isAllocationFailure(error), String(error)).toBe(true);
    }
    expect((await session.run(length(3n))).y.data).toEqual(new Float32Array(3));
    await session.release();
  });
});

describe('isAllocationFailure', () => {
  it.each([
    'std::bad_alloc',
    'Non-zero status code returned while running Conv node. Failed to allocate memory for ' +
      'requested buffer of size 40000000000000',
    'Available memory of 123 is smaller than requested bytes of 456',
    'Array buffer allocation failed',
    'Aborted(OOM)',
    'WebAssembly.Memory.grow(): Maximum memory size exceeded',
    'failed to allocate a buffer of size 12.',
    'Out of memory',
    'Buffer size (9) exceeds the max buffer size limit (8)',
  ])('recognises "%s"', (message) => {
    expect(isAllocationFailure(new Error(message))).toBe(true);
    expect(
      isAllocationFailure(
        new FoveaError('runtime', 'could not run', { cause: new RangeError(message) }),
      ),
    ).toBe(true);
  });

  it('recognises the error of the JavaScript engine', () => {
    const attempt = () => new Float32Array(2 ** 53 - 1);
    let thrown: unknown;
    try {
      attempt();
    } catch (error) {
      thrown = error;
    }
    expect(isAllocationFailure(thrown)).toBe(true);
  });

  it.each(['No Op registered for Foo', 'the room is out of order', 'Invalid rank for input: x'])(
    'does not recognise "%s"',
    (message) => {
      expect(isAllocationFailure(new Error(message))).toBe(false);
      expect(isAllocationFailure(undefined)).toBe(false);
    },
  );
});

it('reasonOf drops build paths and signatures', () => {
  const arena =
    "Non-zero status code returned while running Conv node. Name:'' Status Message: " +
    '/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* ' +
    'onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) ' +
    'Failed to allocate memory\n';
  expect(reasonOf(new Error(arena))).toBe(
    "Non-zero status code returned while running Conv node. Name:'' Status Message: " +
      'Failed to allocate memory',
  );
  const wasm =
    'failed to call OrtRun(). ERROR_CODE: 2, ERROR_MESSAGE: ' +
    '/mnt/agent/onnxruntime/core/framework/op_kernel.cc:83 virtual OrtValue ' +
    '*onnxruntime::OpKernelContext::OutputMLValue(int, const TensorShape &) ' +
    '[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Tensor shape is too large';
  expect(reasonOf(new Error(wasm))).toBe('Tensor shape is too large');
  const adapter =
    '/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 ' +
    'onnxruntime::webgpu::WebGpuContext::Initialize(const ' +
    'onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == ' +
    'wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No ' +
    'supported adapters\n\n';
  expect(reasonOf(new Error(adapter))).toBe(
    'Failed to get a WebGPU adapter: No supported adapters',
  );
});

it('agrees accepts rounding errors and refuses wrong outputs', () => {
  expect(agrees(Float32Array.of(1, -2), Float32Array.of(1.001, -2))).toBe(true);
  expect(agrees(Float32Array.of(1, -2), Float32Array.of(1.1, -2))).toBe(false);
  expect(agrees(Float32Array.of(1, -2), Float32Array.of(Number.NaN, -2))).toBe(false);
  expect(agrees(Float32Array.of(1, -2), Float32Array.of(1))).toBe(false);
});

describe('the option device', () => {
  it('refuses a device that does not exist', async () => {
    const absent = process.platform === 'darwin' ? 'dml' : 'coreml';
    await expect(createNodeRuntime({ device: absent })).rejects.toMatchObject({
      code: 'runtime',
      message: expect.stringContaining('use the device cpu'),
    });
    await expect(createWebRuntime({ device: 'webgpu' })).rejects.toMatchObject({
      code: 'runtime',
      message: expect.stringContaining('WebGPU'),
    });
  });

  it('refuses unknown devices and invalid numbers of threads', async () => {
    await expect(createNodeRuntime({ device: 'tpu' as 'cpu' })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('expected cpu, webgpu, cuda'),
    });
    await expect(createNodeRuntime({ threads: 0 })).rejects.toMatchObject({ code: 'usage' });
    await expect(createWebRuntime({ device: 'cuda' as 'cpu' })).rejects.toMatchObject({
      code: 'usage',
    });
    await expect(createWebRuntime({ threads: 1.5 })).rejects.toMatchObject({ code: 'usage' });
  });

  it('finds a device if it is auto', async () => {
    expect((await createNodeRuntime({ device: 'auto' })).name).toMatch(
      /\((cpu|webgpu|cuda|coreml|dml)\)$/,
    );
    expect((await createWebRuntime({ device: 'auto', threads: 1 })).name).toMatch(/\(wasm\)$/);
  });
});

describe('createNodeRuntime without onnxruntime-node', () => {
  const missing = () =>
    Promise.reject(Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' }));

  it('runs models in WebAssembly, and warns with the command to install it', async () => {
    const runtime = await createNodeRuntime({ threads: 1 }, missing);
    expect(runtime.name).toMatch(/^onnxruntime-web \S+ \(wasm\)$/);
    expect(runtime.warnings).toEqual([
      expect.stringMatching(
        /onnxruntime-node is not installed.*run ".*npm install onnxruntime-node@1.30"/,
      ),
    ]);
    const builder = graphBuilder({ opset: 13 });
    const x = builder.input('x', 'float32', [2]);
    builder.add('Add', [x, x], {}, 'y');
    builder.output('y', 'float32', [2]);
    const session = await runtime.createSession(writeModel(modelOf(builder.finish())));
    const { y } = await session.run({
      x: { type: 'float32', shape: [2], data: Float32Array.of(1, 2) },
    });
    expect(y?.data).toEqual(Float32Array.of(2, 4));
    await session.release();
  });

  it('refuses a GPU device', async () => {
    await expect(createNodeRuntime({ device: 'cuda' }, missing)).rejects.toThrow(
      /the device cuda is not available: onnxruntime-node is not installed; run ".*npm install/,
    );
  });
});
