import { type ExecFileException, execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { methods } from '../../src/methods/index.ts';
import { VERSION } from '../../src/version.ts';
import { importsOf, ROOT, resolveAll } from '../browser/modules.ts';

interface PackageJson {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as PackageJson;
/** What the package exports by name; patterns stand for the files that they match. */
const exportsByName = new Map(
  Object.entries(manifest.exports).flatMap(([name, file]): [string, string][] => {
    if (name === './package.json') return [];
    if (!name.includes('*')) return [[name, file]];
    const [folder = ''] = file.replace(/^\.\/dist\//, './src/').split('*');
    return readdirSync(join(ROOT, folder))
      .filter((entry) => /^[a-z0-9-]+\.ts$/.test(entry) && entry !== 'index.ts')
      .map((entry) => entry.replace(/\.ts$/, ''))
      .map((entry) => [name.replace('*', entry), file.replace('*', entry)]);
  }),
);
const subpaths = [...exportsByName.keys()];
const specifierOf = (subpath: string) => `fovea${subpath.slice(1)}`;

/** Entries that a page imports for what they register. */
const EFFECTS = ['fovea/web/demo-models', 'fovea/web/webgpu'];

/** What a user finds behind each entry, whatever else is there. */
const PROMISED: Readonly<Record<string, readonly string[]>> = {
  fovea: [
    'explain',
    'explainAll',
    'methods',
    'defineMethod',
    'createFunctionModel',
    'createOnnxModel',
    'FoveaError',
    'VERSION',
  ],
  'fovea/node': [
    'loadModel',
    'readImage',
    'explain',
    'explainAll',
    'encodePng',
    'createNodeRuntime',
    'VERSION',
  ],
  'fovea/worker': ['createExplainer', 'FoveaError'],
  'fovea/web': ['loadModel', 'readImage', 'explain', 'explainAll', 'createWebRuntime', 'VERSION'],
  'fovea/tensor': ['tensor', 'createRandom', 'encodeNpy', 'decodeNpy'],
  'fovea/image': ['image', 'resizeImage'],
  'fovea/autodiff': [
    'gradientModel',
    'gradientGraph',
    'gradientRules',
    'prepareModel',
    'rule',
    'refused',
  ],
  'fovea/onnx': ['readModel', 'writeModel', 'subgraph', 'compose', 'inferShapes', 'graphBuilder'],
  'fovea/methods': ['methods', 'defineMethod', 'describeOptions'],
  'fovea/metrics': ['metrics', 'defineMetric'],
  'fovea/superpixels': ['felzenszwalb', 'quickshift', 'slic'],
  'fovea/alternates': ['alternates', 'createInpainter', 'FILLERS'],
  'fovea/datasets': ['openDataset', 'datasetReaders', 'selectSamples', 'parseShard'],
  'fovea/evaluate': ['evaluate', 'methodOrder', 'formatScore', 'controlWarnings'],
  'fovea/visualize': ['overlay', 'colormap', 'normalizeSigned', 'normalizeUnsigned'],
  'fovea/demo': ['createScene', 'classNames'],
};

/**
 * A program as a user of the package writes it: every entry, a model of their own, types in and
 * out.
 */
const USER_PROGRAM = `import { createFunctionModel, explain } from 'fovea';
import type { Explanation, Model, Tensor } from 'fovea';
import { type GradientModel, gradientModel } from 'fovea/autodiff';
import { type EvaluationResult, evaluate } from 'fovea/evaluate';
import { type Dataset, openDataset } from 'fovea/datasets';
import { createScene, type Scene } from 'fovea/demo';
import { type Image, resizeImage } from 'fovea/image';
import { describeOptions, type Method, methods } from 'fovea/methods';
import { metrics } from 'fovea/metrics';
import { encodePng, type LoadModelOptions, loadModel, readImage } from 'fovea/node';
import { type Graph, graphBuilder } from 'fovea/onnx';
import { tensor } from 'fovea/tensor';
import { overlay } from 'fovea/visualize';
import { type ImageInput, loadModel as loadInBrowser } from 'fovea/web';
import { createExplainer, type Explainer } from 'fovea/worker';

export async function answer(options: LoadModelOptions): Promise<Uint8Array> {
  const model: Model = await loadModel('demo-cnn', options);
  const picture: Image = await readImage('photo.jpg');
  const settings = { method: 'rise', options: { N: 100 }, target: 'top1' } as const;
  const explanation: Explanation = await explain(model, picture, settings);
  const map: Tensor = explanation.map;
  const label: string = explanation.target.label;
  await model.dispose();
  return encodePng(overlay(resizeImage(picture, label.length, 8), map));
}
export const method: Method = methods.get('iassa');
export async function inWorker(picture: Image): Promise<Tensor> {
  const explainer: Explainer = await createExplainer({ model: 'model.onnx', device: 'auto' });
  const settings = { method: 'rise', options: { N: 100 }, onMap: () => true } as const;
  return (await explainer.explain(picture, settings)).map;
}
export const names: string[] = describeOptions(method).map((option) => option.name);
export const shape: readonly number[] = tensor([2, 2]).shape;
export const graph: Graph = graphBuilder({ opset: 13 }).finish();
export const all = [createFunctionModel, gradientModel, createScene, metrics, loadInBrowser];
export const more = [openDataset, evaluate];
export type Any = Scene | ImageInput | GradientModel | Dataset | EvaluationResult;
// @ts-expect-error: a target is not a flag
explain({} as Model, {} as Image, { target: true });
`;

/** Runs a program to its end; never rejects. */
function run(file: string, args: readonly string[], cwd: string): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(
      file,
      [...args],
      { cwd, maxBuffer: 2 ** 26 },
      (error: ExecFileException | null, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    );
  });
}

/** Files below a folder, by their paths within it. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    );
}

/** Import statements of the code blocks of a page. */
function importStatements(markdown: string): string[] {
  const blocks = [
    ...markdown.matchAll(/```(?:ts|js|typescript|javascript|mjs)\n([\s\S]*?)```/g),
  ].map(([, code]) => code);
  return blocks.flatMap((code) => code.match(/^import [^;]*? from 'fovea[^']*';?$/gm) ?? []);
}

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-package-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the packed package', () => {
  let files: string[];
  let installed: string;

  beforeAll(async () => {
    if (!existsSync(join(ROOT, manifest.exports['.'])))
      throw new Error('dist is missing: run npm run build first');
    const packed = await run(
      'npm',
      ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder],
      ROOT,
    );
    expect(packed.code, packed.stderr).toBe(0);
    const modules = join(folder, 'node_modules');
    installed = join(modules, 'fovea');
    mkdirSync(installed, { recursive: true });
    const unpacked = await run(
      'tar',
      ['-xzf', join(folder, `fovea-${VERSION}.tgz`), '-C', installed, '--strip-components=1'],
      folder,
    );
    expect(unpacked.code, unpacked.stderr).toBe(0);
    files = filesBelow(installed);
    for (const name of Object.keys({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
    })) {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'dir');
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  });

  it('contains the build, the embedded models, licence, changelog and README', () => {
    const models = ['demo-cnn', 'demo-cnn-biased', 'demo-vit'].flatMap((name) => [
      `dist/demo/models/${name}.onnx`,
      `dist/demo/models/${name}.json`,
    ]);
    const entries = [...exportsByName.values(), './package.json'].map((path) =>
      path.replace(/^\.\//, ''),
    );
    const types = entries
      .filter((path) => path.endsWith('.js'))
      .map((path) => path.replace(/js$/, 'd.ts'));
    const expected = ['README.md', 'LICENSE', 'CHANGELOG.md', ...entries, ...types, ...models];
    expect(expected.filter((path) => !files.includes(path))).toEqual([]);
  });

  it('contains no tests, fixtures, sources or source maps', () => {
    expect(
      files.filter((path) =>
        /\.test\.|(^|\/)(fixtures|test|bench|scripts)\/(?!README\.md$)|\.map$|(?<!\.d)\.ts$/.test(
          path,
        ),
      ),
    ).toEqual([]);
    const texts = files
      .filter((path) => /\.(js|mjs|ts|json|md)$/.test(path))
      .map((path) => [path, readFileSync(join(installed, path), 'utf8')]);
    expect(
      texts
        .filter(([, text]) => text.includes('sourceMappingURL') || text.includes(ROOT))
        .map(([path]) => path),
    ).toEqual([]);
  });

  it('contains every file that README links to', () => {
    const text = readFileSync(join(installed, 'README.md'), 'utf8');
    const links = [...text.matchAll(/\]\(([^)#:\s]+)[^)]*\)/g)].map(([, path = '']) => path);
    expect(links.length).toBeGreaterThan(40);
    expect(links.filter((path) => !files.includes(path))).toEqual([]);
  });

  it('imports by every subpath', async () => {
    const script = `const names = ${JSON.stringify(subpaths.map(specifierOf))};
      const found = {};
      for (const name of names) found[name] = Object.keys(await import(name));
      const { default: manifest } = await import('fovea/package.json', { with: { type: 'json' } });
      console.log(JSON.stringify({ found, version: manifest.version }));`;
    const { code, stdout, stderr } = await run(
      process.execPath,
      ['--no-warnings', '--input-type=module', '--eval', script],
      folder,
    );
    expect(code, stderr).toBe(0);
    const { found, version } = JSON.parse(stdout) as {
      found: Record<string, string[]>;
      version: string;
    };
    expect(version).toBe(VERSION);
    const silent = Object.keys(found).filter((name) => found[name]?.length === 0);
    expect(silent.sort()).toEqual(EFFECTS);
    expect(Object.keys(found)).toEqual(expect.arrayContaining(Object.keys(PROMISED)));
    for (const [name, promised] of Object.entries(PROMISED))
      expect(found[name], name).toEqual(expect.arrayContaining([...promised]));
  });

  it('refuses what it does not export', async () => {
    const { code, stderr } = await run(
      process.execPath,
      ['--input-type=module', '--eval', "await import('fovea/dist/index.js')"],
      folder,
    );
    expect(code).not.toBe(0);
    expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  it('is typed: a user’s program and the imports of README compile', async () => {
    writeFileSync(join(folder, 'program.ts'), USER_PROGRAM);
    cpSync(join(ROOT, 'test/types/methods.ts'), join(folder, 'methods.ts'));
    const statements = importStatements(readFileSync(join(ROOT, 'README.md'), 'utf8'));
    expect(statements.length, 'README shows at least one import of fovea').toBeGreaterThan(0);
    const names = statements.map((statement, i) => {
      writeFileSync(join(folder, `readme-${i}.ts`), `${statement}\nexport {};\n`);
      return `readme-${i}.ts`;
    });
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023'];
    const { code, stdout } = await run(
      process.execPath,
      [tsc, ...flags, 'program.ts', 'methods.ts', ...names],
      folder,
    );
    expect(stdout).toBe('');
    expect(code).toBe(0);
  }, 300_000);

  it('has a command that runs', async () => {
    const command = join(installed, manifest.bin.fovea);
    expect(await run(command, ['--version'], folder)).toEqual({
      code: 0,
      stdout: `${VERSION}\n`,
      stderr: '',
    });
    const listed = await run(command, ['methods'], folder);
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    for (const name of methods.names) expect(listed.stdout).toMatch(new RegExp(`^${name} `, 'm'));
  });

  it('explains with an embedded model from where it is installed', async () => {
    const script = `import { explain, loadModel, tensor } from 'fovea/node';
      const model = await loadModel('demo-cnn');
      const picture = tensor([1, 3, ...model.preprocessing.size]);
      const options = { window: 112, stride: 112 };
      const { map, manifest } = await explain(model, picture, { method: 'occlusion', options });
      console.log(map.shape.join(), manifest.modelCalls.forward);
      await model.dispose();`;
    expect(await run(process.execPath, ['--input-type=module', '--eval', script], folder)).toEqual({
      code: 0,
      stdout: '224,224 5\n',
      stderr: '',
    });
  });
});

describe('the project', () => {
  it('has one version', () => {
    expect(VERSION).toBe(manifest.version);
  });

  it('installs without downloading CUDA', () => {
    expect(readFileSync(join(ROOT, '.npmrc'), 'utf8').split(/\r?\n/)).toContain(
      'onnxruntime-node-install=skip',
    );
  });

  it('imports what not every user needs when it is needed, not when a module is loaded', () => {
    const source = join(ROOT, 'src');
    const eager = filesBelow(source)
      .filter((path) => /\.ts$/.test(path) && !/\.test\.ts$|fixtures\//.test(path))
      .filter((path) =>
        /^(import|export) (?!type\b)[^;]*? from '(sharp|h5wasm|hyparquet|onnxruntime-)/m.test(
          readFileSync(join(source, path), 'utf8'),
        ),
      );
    expect(eager).toEqual([]);
  });

  it('imports Node’s modules only where Node is bound', () => {
    const allowed =
      /^(node\.ts|node\/|runtime\/onnxruntime-node\.ts|demo\/sprites\.ts|cli\/|datasets\/|evaluate\/)|\.test\.ts$|(^|\/)fixtures\//;
    const source = join(ROOT, 'src');
    const imports = filesBelow(source)
      .filter((path) => path.endsWith('.ts') && !allowed.test(path))
      .flatMap((path) =>
        importsOf(readFileSync(join(source, path), 'utf8')).map(
          (specifier) => `${path}: ${specifier}`,
        ),
      );
    expect(imports.length).toBeGreaterThan(100);
    expect(
      imports.filter((line) =>
        /: (node:|sharp$|onnxruntime-node$|tinyglobby$|commander$|cli-)/.test(line),
      ),
    ).toEqual([]);
  });

  it('reaches nothing but browser packages from every entry but those for Node', () => {
    const entries = subpaths
      .map(specifierOf)
      .filter((name) => !/^fovea\/(node|evaluate|datasets(\/.*)?)$/.test(name));
    const reached = [...resolveAll(entries).keys()].filter(
      (specifier) => !specifier.startsWith('fovea'),
    );
    expect(reached).toContain('valibot');
    expect(
      reached.filter(
        (specifier) =>
          !/^(valibot|@dagrejs\/dagre|d3-[\w-]+|delaunator|preact|preact-render-to-string|robust-predicates|onnxruntime-web\/(wasm|webgpu)|onnxruntime-common)$/.test(
            specifier,
          ),
      ),
    ).toEqual([]);
  });
});
