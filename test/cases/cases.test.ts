import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { gradientModel } from '../../src/autodiff/index.ts';
import { runModel } from '../../src/onnx/fixtures/run.ts';
import { readBytes } from '../../src/onnx/fixtures/shared-models.ts';
import {
  type Graph,
  initializerOf,
  readModel,
  renameTensors,
  withGraph,
  writeModel,
} from '../../src/onnx/index.ts';
import { extent } from '../../src/tensor/statistics.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { explainPicture, runCommand, temporaryFolder } from './run-command.ts';

const CASES = '../shared/cases';
const haveCases = existsSync(CASES);
if (!haveCases) console.warn(`no folder ${CASES}: the tests of its cases are skipped`);

const PICTURE = `${CASES}/picture.png`;
/** A new file with a model of a case whose graph is spelled in another way. */
async function rewritten(path: string, change: (graph: Graph) => Graph): Promise<string> {
  const model = readModel(readBytes(path));
  const file = join(await temporaryFolder(), 'rewritten.onnx');
  await writeFile(file, writeModel(withGraph(model, change(model.graph))));
  return file;
}

const withInputShape =
  (...shape: (number | string)[]) =>
  (graph: Graph): Graph => ({
    ...graph,
    inputs: graph.inputs.map((input) => ({ ...input, shape })),
    valueInfo: new Map(),
  });
const withOpset =
  (opset: number) =>
  (graph: Graph): Graph => ({ ...graph, opset: new Map([...graph.opset, ['', opset] as const]) });

/** Resize nodes by scales, from 32 to 64 pixels, instead of constant sizes. */
const withScales = (graph: Graph): Graph => ({
  ...graph,
  nodes: graph.nodes.map((node) =>
    node.opType === 'Resize' ? { ...node, inputs: [node.inputs[0] ?? '', '', 'scales'] } : node,
  ),
  initializers: new Map([
    ...graph.initializers,
    ['scales', initializerOf('scales', 'float32', [4], [1, 1, 2, 2])],
  ]),
});

const spreadOf = ({ data }: Tensor): number => {
  const [low, high] = extent(data);
  return high - low;
};
const sumOf = ({ data }: Tensor): number => data.reduce((sum, value) => sum + value, 0);

/** The maps of methods for a model; each must be made, and show something. */
async function mapsOf(
  picture: string,
  model: string,
  methods: string,
  ...args: string[]
): Promise<Tensor[]> {
  const explained = await explainPicture(picture, model, methods, ...args);
  expect(explained, explained.stderr).toMatchObject({ code: 0 });
  expect(explained.stderr).not.toMatch(/same value everywhere|internal/);
  const maps = await Promise.all(methods.split(',').map(explained.map));
  for (const map of maps) expect(spreadOf(map)).toBeGreaterThan(1e-6);
  return maps;
}

/** Maps of two models for the same methods, which must agree. */
async function expectSameMaps(
  picture: string,
  [model, other]: readonly [string, string],
  methods: string,
  ...args: string[]
): Promise<Tensor[]> {
  const maps = await mapsOf(picture, model, methods, ...args);
  const others = await mapsOf(picture, other, methods, ...args);
  for (const [i, map] of maps.entries())
    expect(map).toBeAllClose(others[i], { rtol: 1e-4, atol: 1e-5 * spreadOf(map) });
  return maps;
}

/** The one sentence of a command that failed. */
async function refusalOf(picture: string, model: string, ...args: string[]): Promise<string> {
  const { code, stderr } = await explainPicture(picture, model, 'occlusion', ...args);
  expect(code).toBe(3);
  expect(stderr.trim()).not.toContain('\n');
  return stderr;
}

type Case = (folder: string) => Promise<void>;

/** A. Wrong maps that nothing shows. */
const wrongMaps: Readonly<Record<string, Case>> = {
  'deep-lift-maxpool-opset16': async (at) => {
    const models = [`${at}/opset12.onnx`, `${at}/opset18.onnx`] as const;
    const [map] = await expectSameMaps(`${at}/x.npy`, models, 'deep-lift', '--target', '0');
    expect(spreadOf(map)).toBeCloseTo(0.053, 3);
  },
  'qdq-relu-in-quantizer': async (at) => {
    const x = Float32Array.from({ length: 64 }, (_, i) => (i - 31.5) / 64);
    const gradientOf = async (path: string) => {
      const source = readModel(readBytes(path));
      const [input, output] = [source.graph.inputs[0], source.graph.outputs[0]];
      const { model, cotangent, gradients } = gradientModel(source, {
        of: output.name,
        wrt: [input.name],
      });
      const answer = await runModel(model, {
        [input.name]: new RuntimeTensor('float32', x, input.shape as number[]),
        [cotangent]: new RuntimeTensor('float32', Float32Array.of(1, -2), output.shape as number[]),
      });
      return answer[gradients.get(input.name) ?? ''].data as Float32Array;
    };
    const quantized = await gradientOf(`${at}/model.onnx`);
    expect(quantized).toBeAllClose(await gradientOf(`${at}/float.onnx`));
    expect(quantized.some((value) => value !== 0)).toBe(true);
  },
  'lrp-hardswish-decomposed': async (at) => {
    const models = [`${at}/hardswish.onnx`, `${at}/add-clip-mul.onnx`] as const;
    const maps = await expectSameMaps(PICTURE, models, 'lrp');
    expect(sumOf(maps[0])).toBeCloseTo(1.9756, 3);
  },
  'fullgrad-bias-in-add': async (at) => {
    const models = ['conv-bias', 'add-bias', 'add-bias-4d'].map((name) => `${at}/${name}.onnx`);
    const maps: Tensor[] = [];
    for (const model of models) {
      const explained = await explainPicture(`${at}/seven.png`, model, 'fullgrad');
      expect((await explained.manifest('fullgrad')).extras).toMatchObject({ biases: 1 });
      maps.push(await explained.map('fullgrad'));
    }
    for (const map of maps) expect(map).toBeAllClose(maps[0], { atol: 1e-5 * spreadOf(maps[0]) });
  },
  'resize-scale-rounding': async (at) => {
    await mapsOf(PICTURE, `${at}/stride1.onnx`, 'gradient,grad-cam');
    const paths = await explainPicture(PICTURE, `${at}/stride2.onnx`, 'integrated-gradients');
    const { extras } = await paths.manifest('integrated-gradients');
    expect(Math.abs(Number(extras.completenessDelta))).toBeLessThan(0.01);
  },
  'dynamic-quantisation-batch': async (at) => {
    const settings = ['--set', 'occlusion.window=8', '--set', 'occlusion.stride=4'];
    const maps = (...args: string[]) =>
      mapsOf(PICTURE, `${at}/model.onnx`, 'occlusion,rise', ...settings, ...args);
    expect(await maps('--batch-size', '16')).toEqual(await maps('--batch-size', '1'));
  },
  'occlusion-small-input': async (at) => {
    await mapsOf(`${at}/seven.png`, `${at}/model.onnx`, 'occlusion');
  },
  'occlusion-lime-constant-32x32': async (at) => {
    await mapsOf(`${at}/noise.png`, `${at}/plain.onnx`, 'occlusion,lime');
  },
  'lime-one-segment': async (at) => {
    await mapsOf(`${at}/seven.png`, `${at}/model.onnx`, 'lime');
  },
};

/** B. Models that are refused, or stop the whole command, without need. */
const refused: Readonly<Record<string, Case>> = {
  'dynamo-batch-shape': async (at) => {
    const fixed = await rewritten(`${at}/model.onnx`, withInputShape(1, 3, 32, 32));
    const methods = 'iia,rise,ablation-cam,lift-cam,recipro-cam';
    await expectSameMaps(PICTURE, [`${at}/model.onnx`, fixed], methods);
  },
  'iia-vit-open-batch': async (at) => {
    const fixed = await rewritten(`${at}/open-batch.onnx`, withInputShape(1, 3, 32, 32));
    await expectSameMaps(PICTURE, [`${at}/open-batch.onnx`, fixed], 'iia');
    await mapsOf(PICTURE, `${at}/fixed-batch.onnx`, 'iia');
  },
  'resize-sizes-fixed-batch': async (at) => {
    const open = await rewritten(`${at}/model.onnx`, withScales);
    await expectSameMaps(PICTURE, [`${at}/model.onnx`, open], 'gradient');
  },
  'open-batch-fixed-reshape': async (at) => {
    const fixed = await rewritten(`${at}/model.onnx`, withInputShape(1, 3, 32, 32));
    await expectSameMaps(PICTURE, [`${at}/model.onnx`, fixed], 'rise');
  },
  'dynamic-height-width': async (at) => {
    const open = `${at}/dynamic.onnx`;
    const fixed = await rewritten(open, withInputShape('b', 3, 32, 32));
    const size = ['--preprocess', 'size=32x32'];
    await expectSameMaps(PICTURE, [open, fixed], 'grad-cam,iassa', ...size);
    const explained = await explainPicture(PICTURE, open, 'iassa', ...size);
    expect((await explained.manifest('iassa')).extras.attention).toEqual(['r', 'r3']);
    await mapsOf(PICTURE, open, 'grad-cam');
  },
  'deep-lift-unnamed-nodes': async (at) => {
    const unnamed = await rewritten(`${at}/named.onnx`, (graph) => ({
      ...graph,
      nodes: graph.nodes.map((node) => ({ ...node, name: '' })),
    }));
    await expectSameMaps(PICTURE, [`${at}/named.onnx`, unnamed], 'deep-lift');
    await mapsOf(PICTURE, `${at}/model.onnx`, 'deep-lift');
  },
  'no-gradient-stops-all-methods': async (at) => {
    const explained = await explainPicture(PICTURE, `${at}/model.onnx`, 'grad-cam,rise');
    expect(explained.code).toBe(1);
    expect(explained.stderr).toMatch(
      /grad-cam: [^\n]+ Sign node [^\n]+ constant almost everywhere/,
    );
    expect(spreadOf(await explained.map('rise'))).toBeGreaterThan(1e-6);
  },
  't-attr-opset9': async (at) => {
    const later = await rewritten(`${at}/opset9.onnx`, withOpset(11));
    await expectSameMaps(PICTURE, [`${at}/opset9.onnx`, later], 't-attr');
  },
  'opset-below-9': async (at) => {
    for (const name of ['opset7', 'opset8']) {
      const later = await rewritten(`${at}/${name}.onnx`, withOpset(11));
      await expectSameMaps(PICTURE, [`${at}/${name}.onnx`, later], 'gradient,deep-lift');
      const { stdout } = await runCommand('inspect', `${at}/${name}.onnx`);
      expect(stdout).toMatch(/^gradients +yes$/m);
    }
  },
  'onnx-input-named-constructor': async (at) => {
    const path = `${at}/input-constructor.onnx`;
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      const names = new Map([['constructor', name]]);
      const renamed = await rewritten(path, (graph) => renameTensors(graph, names));
      expect(await runCommand('inspect', renamed)).toMatchObject({ code: 0 });
      await expectSameMaps(PICTURE, [path, renamed], 'occlusion');
    }
  },
  'zipmap-output': async (at) => {
    const explained = await explainPicture(PICTURE, `${at}/model.onnx`, 'rise');
    const { target } = await explained.manifest('rise');
    expect(target).toMatchObject({ label: 'fish', probability: expect.closeTo(0.624, 3) });
    const probabilities = await rewritten(`${at}/model.onnx`, (graph) => {
      const zipMap = graph.nodes.find(({ opType }) => opType === 'ZipMap');
      const name = zipMap?.inputs[0] ?? '';
      const outputs = [{ name, type: 'float32' as const, shape: null, otherFields: [] }];
      return { ...graph, nodes: graph.nodes.filter((node) => node !== zipMap), outputs };
    });
    await expectSameMaps(PICTURE, [`${at}/model.onnx`, probabilities], 'rise');
  },
};

/** C. Wrong assumptions about a model's input and output. */
const assumptions: Readonly<Record<string, Case>> = {
  'uint8-input': async (at) => {
    const asked = [`${at}/corner.png`, `${at}/uint8.onnx`, 'occlusion', '--target', '0'] as const;
    const pixels = ['--preprocess', 'scale=0-255', 'mean=[0,0,0]', 'std=[1,1,1]'];
    const [inferred, given] = await Promise.all([
      await explainPicture(...asked),
      await explainPicture(...asked, ...pixels),
    ]);
    expect((await inferred.manifest('occlusion')).target.probability).toBeCloseTo(0.981, 3);
    expect(await inferred.map('occlusion')).toEqual(await given.map('occlusion'));
    const models = [`${at}/uint8.onnx`, `${at}/float.onnx`] as const;
    await expectSameMaps(`${at}/corner.png`, models, 'occlusion,gradient', '--target', '0');
  },
  'rescaling-in-graph': async (at) => {
    const asked = [`${at}/corner.png`, `${at}/model.onnx`, 'occlusion', '--target', '0'] as const;
    const explained = await explainPicture(...asked);
    expect((await explained.manifest('occlusion')).target.probability).toBeCloseTo(0.979, 3);
    expect(explained.stderr).toMatch(
      /pixels of 0-255 are fed as they are, because its graph scales them/,
    );
    await mapsOf(...asked);
  },
  'multilabel-config': async (at) => {
    const explained = await explainPicture(PICTURE, at, 'rise', '--target', 'top:4');
    const logits = [-7.4, 3.4, -3.1, 0.1];
    for (const [index, logit] of logits.entries()) {
      const { target } = await explained.manifest(`rise.${index}`);
      expect(target.probability).toBeCloseTo(1 / (1 + Math.exp(-logit)), 1);
    }
  },
  'detector-accepted': async (at) => {
    expect(await refusalOf(PICTURE, `${at}/model.onnx`)).toMatch(
      /not an image classifier but a detector: its outputs are boxes .*cls_8 .*bbox_8 /,
    );
  },
  'timm-std-zero-or-negative': async (at) => {
    for (const name of ['neg', 'zero'])
      expect(await refusalOf(`${at}/noise.png`, `${at}/${name}`)).toMatch(
        /config\.json: pretrained_cfg\.std\.1: expected >0, got (-1|0)$/m,
      );
    expect(await refusalOf(`${at}/noise.png`, `${at}/side0`)).toMatch(
      /config\.json: pretrained_cfg\.crop_pct: /,
    );
  },
};

/** Of D and F: what an input does to a run that has nothing wrong with it. */
const others: Readonly<Record<string, Case>> = {
  'onnx-typed-array-message': async (at) => {
    const { code, stderr } = await runCommand('inspect', `${at}/maxvit-dim-1e9.onnx`);
    expect(code).toBe(3);
    expect(stderr).toMatch(/too large/);
  },
  'iassa-occlusion-spread-overflow': async (at) => {
    const everyPixel = ['--set', 'occlusion.window=1', '--set', 'occlusion.stride=1'];
    await mapsOf(`${at}/noise.png`, `${at}/wide-32x1024.onnx`, 'occlusion', ...everyPixel);
  },
  'kernel-shap-nan-few-samples': async (at) => {
    const asked = [`${at}/noise.png`, `${at}/wide.onnx`, 'kernel-shap', '--set'] as const;
    for (const samples of [60, 100, 101]) {
      const { code, stderr } = await explainPicture(...asked, `kernel-shap.N=${samples}`);
      expect(code).toBe(2);
      expect(stderr).toMatch(/kernel-shap\.N = \d+ does not determine .* expected at least 128/);
    }
    await mapsOf(...asked, 'kernel-shap.N=128');
  },
  'batch-size-not-byte-identical': async () => {
    const methods = 'iia,gae,lrp,occlusion';
    const few = ['iia.steps=2', 'occlusion.stride=64', 'occlusion.window=64'];
    const settings = few.flatMap((setting) => ['--set', setting]);
    const maps = (...args: string[]) => mapsOf(PICTURE, 'demo-vit', methods, ...settings, ...args);
    const [byDefault, ...rest] = [
      await maps(),
      await maps('--batch-size', '1'),
      await maps('--batch-size', '7'),
    ];
    for (const other of rest)
      for (const [i, map] of other.entries())
        expect(map).toBeAllClose(byDefault[i], { rtol: 0, atol: 1e-5 * spreadOf(map) });
  },
};

describe.skipIf(!haveCases)('each recorded case (needs ../shared)', () => {
  describe.each([
    ['A', wrongMaps],
    ['B', refused],
    ['C', assumptions],
  ] as const)('of group %s', (letter, cases) => {
    it('has a row in the table', () => {
      const sections = readFileSync(`${CASES}/README.md`, 'utf8').split(/^## /m);
      const section = sections.find((text) => text.startsWith(`${letter}. `)) ?? '';
      const names = [...section.matchAll(/^- `(.+)`$/gm)].map(([, name]) => name);
      expect(names.length).toBeGreaterThan(0);
      expect(Object.keys(cases)).toEqual(names);
    });
  });

  it.each(Object.entries({ ...wrongMaps, ...refused, ...assumptions, ...others }))(
    '%s',
    (name, test) => test(`${CASES}/${name}`),
    300_000,
  );
});
