import { describe, expect, it } from 'vitest';
import { FoveaError } from '../errors.ts';
import { randomTensor, runModel } from './fixtures/run.ts';
import { readBytes, sharedModels } from './fixtures/shared-models.ts';
import { smallModel } from './fixtures/small-model.ts';
import {
  type Attribute,
  attachExternalData,
  dataInputs,
  externalDataFiles,
  type Initializer,
  inferShapes,
  initializerOf,
  modelChunks,
  type OnnxModel,
  readModel,
  tensorNumbers,
  tensorValues,
  withGraph,
  writeModel,
} from './index.ts';
import { createWireWriter } from './wire.ts';

function errorOf(action: () => unknown): FoveaError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(FoveaError);
    return error as FoveaError;
  }
  throw new Error('nothing was thrown');
}

/** The bytes of a message with an additional field that the reader does not know. */
function withExtra(bytes: Uint8Array, number: number): Uint8Array {
  const writer = createWireWriter();
  writer.raw([bytes]);
  writer.string(number, 'from the future');
  return concat(writer.finish().parts);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

const paths = sharedModels();

describe.skipIf(paths.length === 0)('a real model', () => {
  it.each(paths)('is written as it was read, byte for byte: %s', (path) => {
    const bytes = readBytes(path);
    expect(Buffer.compare(writeModel(readModel(bytes)), bytes)).toBe(0);
  });

  it.each(paths)('keeps all parts that were not changed: %s', (path) => {
    const model = readModel(readBytes(path));
    const changed = withGraph(model, { ...model.graph, name: 'renamed' });
    const again = readModel(writeModel(changed));
    expect(again.graph.name).toBe('renamed');
    expect(again.graph.nodes).toEqual(model.graph.nodes);
    expect(again.graph.inputs).toEqual(model.graph.inputs);
    expect([...again.graph.initializers.keys()]).toEqual([...model.graph.initializers.keys()]);
    expect(again.metadata).toEqual(model.metadata);
    expect(again.graph.opset).toEqual(model.graph.opset);
  });

  it.each(paths)('is read without copying initializers: %s', (path) => {
    const bytes = readBytes(path);
    for (const { data } of readModel(bytes).graph.initializers.values()) {
      const slices = data.kind === 'raw' ? [data.bytes] : data.kind === 'fields' ? data.fields : [];
      for (const slice of slices) expect(slice.buffer).toBe(bytes.buffer);
    }
  });

  it.each(paths)('is refused with one sentence if its file is cut anywhere: %s', (path) => {
    const bytes = readBytes(path);
    for (let i = 0; i < 60; i++) {
      const cut = Math.floor(((i + 0.37) / 60) * (bytes.length - 400));
      const error = errorOf(() => readModel(bytes.subarray(0, cut)));
      expect(error.code).toBe('model');
      expect(error.message).not.toContain('\n');
    }
  });
});

describe('readModel', () => {
  it('refuses a file that is cut anywhere', () => {
    const bytes = writeModel(smallModel());
    let whole = 0;
    for (let cut = 0; cut < bytes.length; cut++) {
      try {
        readModel(bytes.subarray(0, cut));
        whole++;
      } catch (error) {
        expect(error).toBeInstanceOf(FoveaError);
        expect((error as FoveaError).code).toBe('model');
      }
    }
    expect(whole).toBe(0);
  });

  it('refuses bytes that are not a protobuf message', () => {
    const texts = [
      '',
      'hello, world',
      '<!doctype html><html></html>',
      '\u0000\u0000\u0000',
      'PK\u0003\u0004zip',
      '{"a":1}',
    ];
    for (const text of texts)
      expect(errorOf(() => readModel(new TextEncoder().encode(text))).code).toBe('model');
    const random = Uint8Array.from({ length: 5000 }, (_, i) => (i * i * 31 + i * 7) & 0xff);
    for (let start = 0; start < 1000; start++)
      expect(errorOf(() => readModel(random.subarray(start))).code).toBe('model');
  });

  it('reports the byte at which a file is broken', () => {
    const bytes = writeModel(smallModel());
    expect(errorOf(() => readModel(bytes.subarray(0, 200))).message).toMatch(
      /field 7 needs \d+ bytes but only \d+ are left \(ModelProto, byte \d+ of 200\)/,
    );
  });

  it('throws only FoveaError if bits are flipped', () => {
    const bytes = writeModel(smallModel());
    for (let i = 0; i < bytes.length; i++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const flipped = bytes.slice();
        flipped[i] ^= mask;
        try {
          inferShapes(readModel(flipped).graph);
        } catch (error) {
          if (!(error instanceof FoveaError)) throw error;
        }
      }
    }
  });

  it('reads a view into a larger buffer', () => {
    const bytes = writeModel(smallModel());
    const larger = new Uint8Array(bytes.length + 13);
    larger.set(bytes, 7);
    const model = readModel(larger.subarray(7, 7 + bytes.length));
    const original = readModel(bytes);
    for (const [name, tensor] of model.graph.initializers) {
      expect(tensorValues(tensor)).toEqual(
        tensorValues(original.graph.initializers.get(name) as Initializer),
      );
    }
  });
});

describe('writeModel', () => {
  it('keeps unknown fields at every level', async () => {
    const model = readModel(writeModel(smallModel()));
    const node = model.graph.nodes[0];
    const extra = [withExtra(new Uint8Array(0), 4321)];
    const graph = {
      ...model.graph,
      nodes: [{ ...node, otherFields: extra }, ...model.graph.nodes.slice(1)],
      inputs: model.graph.inputs.map((info) => ({ ...info, otherFields: extra })),
      initializers: new Map(
        [...model.graph.initializers].map(([name, tensor]) => [
          name,
          { ...tensor, otherFields: extra },
        ]),
      ),
      otherFields: extra,
    };
    const bytes = writeModel({ ...model, otherFields: extra, graph });
    const again = readModel(bytes);
    const renamed = {
      ...again.graph,
      name: 'again',
      nodes: again.graph.nodes.map((old) => ({ ...old, name: `${old.name}!` })),
    };
    const last = readModel(writeModel({ ...again, graph: renamed }));
    expect(last.otherFields).toEqual(extra);
    expect(last.graph.otherFields).toEqual(extra);
    expect(last.graph.nodes[0].otherFields).toEqual(extra);
    expect(last.graph.inputs[0].otherFields).toEqual(extra);
    for (const tensor of last.graph.initializers.values())
      expect(tensor.otherFields).toEqual(extra);
    const { logits } = await runModel(last, { x: randomTensor([2, 3, 8, 8]) });
    expect(logits.dims).toEqual([2, 5]);
  });

  it('writes an attribute under its current name', () => {
    const read = readModel(writeModel(smallModel()));
    const [conv] = read.graph.nodes;
    const pads = conv.attributes.get('pads') as Attribute;
    const node = {
      ...conv,
      attributes: new Map([
        ['strides', pads],
        ['pads', pads],
      ]),
    };
    const again = readModel(writeModel(withGraph(read, { ...read.graph, nodes: [node] })));
    expect(again.graph.nodes[0].attributes).toEqual(node.attributes);
  });

  it('emits large initializers as the slices of the file, even if other parts change', () => {
    const model = smallModel();
    const big = initializerOf('big', 'float32', [100_000], new Float32Array(100_000));
    const initializers = new Map([...model.graph.initializers, ['big', big] as const]);
    const bytes = writeModel(withGraph(model, { ...model.graph, initializers }));
    const read = readModel(bytes);
    const nodes = [
      ...read.graph.nodes,
      { ...read.graph.nodes[1], name: 'more', inputs: ['logits'], outputs: ['more'] },
    ];
    const chunks = modelChunks(withGraph(read, { ...read.graph, nodes }));
    const slice = chunks.find((chunk) => chunk.length >= 400_000);
    expect(slice?.buffer).toBe(bytes.buffer);
    const renamed = { ...(read.graph.initializers.get('big') as Initializer), name: 'bigger' };
    const changed = modelChunks(
      withGraph(read, { ...read.graph, initializers: new Map([['bigger', renamed]]) }),
    );
    expect(changed.find((chunk) => chunk.length >= 400_000)?.buffer).toBe(bytes.buffer);
  });

  it('refuses a file of more than 2 GB', () => {
    const data = { kind: 'raw', bytes: new Uint8Array(2 ** 30) } as const;
    const tensor = (name: string): Initializer => ({
      name,
      type: 'uint8',
      dims: [2 ** 30],
      data,
      otherFields: [],
    });
    const model = smallModel();
    const graph = {
      ...model.graph,
      initializers: new Map([
        ['a', tensor('a')],
        ['b', tensor('b')],
      ]),
    };
    const error = errorOf(() => modelChunks(withGraph(model, graph)));
    expect(error.code).toBe('unsupported');
    expect(error.message).toContain('2.0 GB');
  });

  it('removes initializers from the inputs if it raises the IR version', () => {
    const model = smallModel();
    const { inputs, initializers } = model.graph;
    const weights = [...initializers.values()].map(({ name, type, dims }) => ({
      name,
      type,
      shape: dims,
      otherFields: [],
    }));
    const old: OnnxModel = {
      ...model,
      irVersion: 3,
      graph: { ...model.graph, inputs: [...inputs, ...weights] },
    };
    expect(dataInputs(old.graph).map(({ name }) => name)).toEqual(['x']);
    const changed = withGraph(old, old.graph);
    expect(changed.irVersion).toBe(4);
    expect(changed.graph.inputs).toEqual(inputs);
  });
});

describe('external data', () => {
  function external(
    model: OnnxModel,
    length: number | null = null,
  ): { model: OnnxModel; file: Uint8Array } {
    const initializers = new Map<string, Initializer>();
    const parts: Uint8Array[] = [new Uint8Array(8)];
    for (const [name, tensor] of model.graph.initializers) {
      const bytes = tensor.data.kind === 'raw' ? tensor.data.bytes : new Uint8Array(0);
      const offset = parts.reduce((sum, part) => sum + part.length, 0);
      initializers.set(name, {
        ...tensor,
        data: { kind: 'external', location: 'weights.bin', offset, length: length ?? bytes.length },
      });
      parts.push(bytes);
    }
    return {
      model: readModel(writeModel(withGraph(model, { ...model.graph, initializers }))),
      file: concat(parts),
    };
  }

  it('is attached without a copy, and the model runs', async () => {
    const original = smallModel();
    const { model, file } = external(original);
    expect(externalDataFiles(model)).toEqual(['weights.bin']);
    expect(externalDataFiles(original)).toEqual([]);
    const attached = attachExternalData(model, new Map([['weights.bin', file]]));
    for (const { data } of attached.graph.initializers.values())
      expect(data.kind === 'raw' && data.bytes.buffer).toBe(file.buffer);
    const feeds = { x: randomTensor([2, 3, 8, 8]) };
    const [got, wanted] = [await runModel(attached, feeds), await runModel(original, feeds)];
    expect(got.logits.data).toEqual(wanted.logits.data);
    expect(attachExternalData(original, new Map())).toBe(original);
  });

  it('is refused if the file is missing, too short or not attached', () => {
    const { model, file } = external(smallModel());
    expect(errorOf(() => attachExternalData(model, new Map())).message).toContain(
      'weights.bin, which is missing',
    );
    const short = new Map([['weights.bin', file.subarray(0, 100)]]);
    expect(errorOf(() => attachExternalData(model, short)).message).toContain(
      'but the file has 100 bytes',
    );
    const tensor = [...model.graph.initializers.values()][0];
    expect(errorOf(() => tensorNumbers(tensor)).message).toContain('not attached');
  });
});

describe('a file in another format', () => {
  it.each([
    ['JPEG', [0xff, 0xd8, 0xff, 0xe0], 'not an ONNX model but a JPEG picture'],
    ['PNG', [0x89, ...Buffer.from('PNG')], 'but a PNG picture'],
    ['WebP', [...Buffer.from('RIFF\n\0\0\0WEBP')], 'but a WebP picture'],
    ['ZIP', [...Buffer.from('PK\x03\x04')], 'but a ZIP archive, as PyTorch writes it'],
    ['HDF5', [0x89, ...Buffer.from('HDF')], 'but an HDF5 file, as Keras writes it'],
    ['TensorFlow Lite', [28, 0, 0, 0, ...Buffer.from('TFL3')], 'but a TensorFlow Lite model'],
    ['Git LFS', [...Buffer.from('version https://git-lfs.github.com')], 'but a pointer of Git LFS'],
    ['HTML', [...Buffer.from('\n<!DOCTYPE html>')], 'but an HTML page'],
    ['JSON', [...Buffer.from('{ "labels": [] }')], 'but JSON'],
  ])('is refused with the name of its format: %s', (_, bytes, message) => {
    const { code, message: text } = errorOf(() => readModel(Uint8Array.from(bytes)));
    expect(code).toBe('model');
    expect(text).toContain(message);
  });
});
