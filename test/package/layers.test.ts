import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../browser/modules.ts';

/** Imports that ARCHITECTURE.md rules out, by the layer that must not have them. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  tensor: [
    '../image/image.ts',
    '../onnx/index.ts',
    '../runtime/runtime.ts',
    '../model/model.ts',
    '../methods/index.ts',
    '../visualize/index.ts',
  ],
  image: [
    '../onnx/index.ts',
    '../model/model.ts',
    '../methods/index.ts',
    '../visualize/index.ts',
    '../cli/command.ts',
  ],
  segmentation: [
    '../onnx/index.ts',
    '../model/model.ts',
    '../methods/index.ts',
    '../visualize/index.ts',
    '../cli/command.ts',
  ],
  alternates: ['../visualize/index.ts', '../cli/command.ts', '../node/hub.ts'],
  onnx: [
    '../image/image.ts',
    '../autodiff/index.ts',
    '../runtime/runtime.ts',
    '../model/model.ts',
    '../methods/index.ts',
  ],
  autodiff: [
    '../image/image.ts',
    '../runtime/runtime.ts',
    '../model/model.ts',
    '../methods/index.ts',
  ],
  runtime: [
    '../autodiff/index.ts',
    '../model/model.ts',
    '../methods/index.ts',
    '../metrics/index.ts',
    '../node/hub.ts',
  ],
  model: ['../methods/index.ts', '../metrics/index.ts', '../visualize/index.ts', '../node/hub.ts'],
  methods: [
    '../onnx/index.ts',
    '../runtime/runtime.ts',
    '../metrics/index.ts',
    '../cli/command.ts',
    '../node/hub.ts',
  ],
  metrics: [
    '../onnx/index.ts',
    '../runtime/runtime.ts',
    '../visualize/index.ts',
    '../cli/command.ts',
  ],
  datasets: [
    '../metrics/index.ts',
    '../visualize/index.ts',
    '../benchmark/index.ts',
    '../cli/command.ts',
  ],
  benchmark: ['../onnx/index.ts', '../runtime/runtime.ts', '../cli/command.ts'],
  visualize: [
    '../runtime/runtime.ts',
    '../methods/index.ts',
    '../metrics/index.ts',
    '../cli/command.ts',
  ],
};

/** Imports along the arrows. */
const ACCEPTED: Readonly<Record<string, readonly string[]>> = {
  image: ['../tensor/index.ts'],
  segmentation: ['../image/image.ts', '../tensor/index.ts'],
  alternates: [
    '../image/image.ts',
    '../model/model.ts',
    '../onnx/index.ts',
    '../runtime/runtime.ts',
    '../tensor/index.ts',
  ],
  onnx: ['../tensor/index.ts'],
  autodiff: ['../onnx/index.ts', '../tensor/index.ts'],
  runtime: ['../onnx/index.ts', '../tensor/index.ts'],
  model: ['../image/image.ts', '../onnx/index.ts', '../runtime/runtime.ts', '../tensor/index.ts'],
  methods: ['../image/image.ts', '../model/model.ts', '../tensor/index.ts'],
  metrics: ['../model/model.ts', '../methods/method.ts', '../tensor/index.ts'],
  datasets: [
    '../image/image.ts',
    '../methods/options.ts',
    '../model/preprocessing.ts',
    '../node/read-image.ts',
    '../tensor/index.ts',
  ],
  benchmark: [
    '../datasets/index.ts',
    '../methods/index.ts',
    '../metrics/index.ts',
    '../model/model.ts',
    '../node/write-file.ts',
    '../visualize/report.ts',
  ],
  visualize: ['../image/image.ts', '../tensor/index.ts'],
};

/** Layers that only Node runs. */
const NODE_ONLY = ['datasets', 'benchmark'];

interface Report {
  readonly diagnostics: readonly {
    readonly category: string;
    readonly location: { readonly path: string | { readonly file: string } };
  }[];
}

/** Rules that a folder breaks, as `file rule`. */
function lint(folder: string): Promise<string[]> {
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  const args = [biome, 'lint', '--reporter=json', '--max-diagnostics=none', 'src'];
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      args,
      { cwd: folder, maxBuffer: 2 ** 26 },
      (_error, stdout, stderr) => {
        if (!stdout.startsWith('{'))
          return reject(new Error(`biome answers no JSON: ${stdout}${stderr}`));
        const { diagnostics } = JSON.parse(stdout) as Report;
        resolve(
          diagnostics.map(
            ({ category, location: { path } }) =>
              `${typeof path === 'string' ? path : path.file} ${category}`,
          ),
        );
      },
    );
  });
}

it('Biome refuses imports against the layers, and only those', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fovea-layers-'));
  try {
    for (const file of ['biome.json', '.gitignore']) cpSync(join(ROOT, file), join(folder, file));
    const expected: string[] = [];
    const write = (layer: string, name: string, from: string) => {
      mkdirSync(join(folder, 'src', layer), { recursive: true });
      writeFileSync(
        join(folder, 'src', layer, name),
        `import { x } from '${from}';\n\nexport const y = x;\n`,
      );
    };
    for (const [layer, imports] of Object.entries(REFUSED)) {
      for (const [i, from] of imports.entries()) {
        write(layer, `refused-${i}.ts`, from);
        expected.push(`src/${layer}/refused-${i}.ts lint/style/noRestrictedImports`);
      }
      write(layer, 'nested.ts', 'node:fs');
      if (!NODE_ONLY.includes(layer))
        expected.push(`src/${layer}/nested.ts lint/correctness/noNodejsModules`);
      write(join(layer, 'part'), 'deep.ts', `../${imports[0]}`);
      expected.push(`src/${layer}/part/deep.ts lint/style/noRestrictedImports`);
    }
    for (const [layer, imports] of Object.entries(ACCEPTED))
      for (const [i, from] of imports.entries()) write(layer, `accepted-${i}.ts`, from);
    expect((await lint(folder)).sort()).toEqual(expected.sort());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
