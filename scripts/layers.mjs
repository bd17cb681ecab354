/**
 * The layers of `src/`, lowest layer first. For each layer, the table lists its paths and the other
 * layers that its files may import. This table is the architecture. It generates the `overrides` of
 * biome.json, and test/package/layers.test.ts checks every import against it.
 *
 * Usage: node scripts/layers.mjs          writes biome.json
 *        node scripts/layers.mjs --check  fails if biome.json is out of date
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Layer
 * @property {string[]} paths Folders (with a slash at the end) and files, relative to `src/`.
 * @property {string[]} imports Other layers that its files may import.
 * @property {boolean} [node] Whether its files may import Node's own modules.
 */

const BELOW_MODEL = ['ground', 'tensor', 'image', 'onnx', 'autodiff', 'runtime'];
const MODELS = [...BELOW_MODEL, 'model'];
const METHODS = ['ground', 'tensor', 'image', 'superpixels', 'autodiff', 'model'];

/** @type {Readonly<Record<string, Layer>>} */
export const LAYERS = {
  ground: {
    paths: [
      'check-json.ts',
      'errors.ts',
      'json.ts',
      'near-names.ts',
      'numbers.ts',
      'next-task.ts',
      'option-words.ts',
      'options.ts',
      'own-entry.ts',
      'pause.ts',
      'plural.ts',
      'registry.ts',
      'retry-after.ts',
      'sha256.ts',
      'version.ts',
      'visible-text.ts',
    ],
    imports: [],
  },
  tensor: { paths: ['tensor/'], imports: ['ground'] },
  image: { paths: ['image/'], imports: ['ground', 'tensor'] },
  superpixels: { paths: ['superpixels/'], imports: ['ground', 'tensor', 'image'] },
  onnx: { paths: ['onnx/'], imports: ['ground', 'tensor'] },
  autodiff: { paths: ['autodiff/'], imports: ['ground', 'tensor', 'onnx'] },
  runtime: { paths: ['runtime/'], imports: ['ground', 'tensor', 'onnx'] },
  model: { paths: ['model/'], imports: BELOW_MODEL },
  checks: { paths: ['checks/'], imports: ['ground', 'tensor', 'model'] },
  methods: { paths: ['methods/'], imports: [...METHODS, 'checks'] },
  metrics: { paths: ['metrics/'], imports: ['ground', 'tensor', 'image', 'superpixels', 'model'] },
  alternates: {
    paths: ['alternates/'],
    imports: ['ground', 'tensor', 'image', 'superpixels', 'onnx', 'runtime', 'model'],
  },
  explain: {
    paths: ['explain.ts', 'explanation.ts', 'map-warnings.ts', 'prepare-input.ts'],
    imports: [...METHODS, 'checks', 'methods'],
  },
  visualize: {
    paths: ['visualize/'],
    imports: ['ground', 'tensor', 'image', 'model', 'methods', 'explain'],
  },
  demo: { paths: ['demo/'], imports: ['ground', 'tensor', 'image', 'node'] },
  node: {
    paths: ['node/'],
    imports: [...MODELS, 'methods', 'visualize'],
    node: true,
  },
  web: { paths: ['web/'], imports: [...MODELS, 'methods', 'explain', 'visualize'] },
  worker: {
    paths: ['worker/'],
    imports: [...METHODS, 'runtime', 'methods', 'metrics', 'explain', 'web'],
  },
  datasets: {
    paths: ['datasets/'],
    imports: ['ground', 'tensor', 'image', 'model', 'node', 'demo'],
    node: true,
  },
  evaluate: {
    paths: ['evaluate/'],
    imports: [...METHODS, 'methods', 'metrics', 'explain', 'visualize', 'node', 'datasets'],
    node: true,
  },
  plugin: {
    paths: ['plugin.ts'],
    imports: [...METHODS, 'methods', 'metrics', 'visualize', 'datasets'],
  },
  cli: {
    paths: ['cli/'],
    imports: [
      ...MODELS,
      ...['superpixels', 'checks', 'methods', 'metrics', 'alternates', 'explain', 'visualize'],
      ...['demo', 'node', 'datasets', 'evaluate', 'plugin'],
    ],
    node: true,
  },
  'front doors': {
    paths: ['core.ts', 'index.ts', 'node.ts', 'web.ts'],
    imports: [...MODELS, 'methods', 'explain', 'evaluate', 'demo', 'node', 'web', 'plugin'],
    node: true,
  },
};

/** Files that may import Node's own modules although the rest of their layer runs in a browser. */
export const NODE_FILES = ['demo/sprites.ts', 'runtime/onnxruntime-node.ts'];

const NOT_SHIPPED = ['!**/*.test.ts', '!**/fixtures/**'];

/**
 * The limit for the length of functions is off for tests, because a test suite is one long
 * function.
 */
const tests = {
  includes: ['**/*.test.ts', '**/fixtures/**', 'test/**', 'bench/**'],
  linter: { rules: { complexity: { noExcessiveLinesPerFunction: 'off' } } },
};

/** @type {(path: string) => string} */
const globOf = (path) => (path.endsWith('/') ? `${path}**` : path);

/**
 * The import specifiers with which files of `from` import `paths`. It covers files up to two
 * folders deep in `src/`.
 */
/** @type {(paths: string[], from: string[]) => string[]} */
function specifiersOf(paths, from) {
  const prefixes = from.some((path) => path.endsWith('/')) ? ['../', '../../'] : ['./'];
  return paths.flatMap((path) => prefixes.map((prefix) => prefix + globOf(path)));
}

/** The overrides of biome.json. They refuse imports that the table of layers does not allow. */
export function layerOverrides() {
  const nodeFree = Object.values(LAYERS).filter(({ node }) => node);
  const exempt = [...nodeFree.flatMap(({ paths }) => paths), ...NODE_FILES];
  const browser = {
    includes: ['src/**', ...exempt.map((path) => `!src/${globOf(path)}`), ...NOT_SHIPPED],
    linter: { rules: { correctness: { noNodejsModules: 'error' } } },
  };
  const layers = Object.entries(LAYERS).map(([name, { paths, imports }]) => {
    const refused = Object.entries(LAYERS).filter(
      ([other]) => other !== name && !imports.includes(other),
    );
    const group = refused.flatMap(([, other]) => specifiersOf(other.paths, paths));
    const message = `${name} may import ${imports.join(', ') || 'nothing'}: see scripts/layers.mjs`;
    return {
      includes: [...paths.map((path) => `src/${globOf(path)}`), ...NOT_SHIPPED],
      linter: {
        rules: {
          style: {
            noRestrictedImports: { level: 'error', options: { patterns: [{ group, message }] } },
          },
        },
      },
    };
  });
  return [browser, tests, ...layers];
}

const BIOME = fileURLToPath(new URL('../biome.json', import.meta.url));

/** The text of biome.json with the overrides of the table, formatted as Biome formats it. */
/** @type {(text: string) => string} */
export function withOverrides(text) {
  const config = JSON.parse(text);
  config.overrides = layerOverrides();
  return `${JSON.stringify(config, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = readFileSync(BIOME, 'utf8');
  const wanted = withOverrides(text);
  if (!process.argv.includes('--check')) writeFileSync(BIOME, wanted);
  else if (JSON.stringify(JSON.parse(text)) !== JSON.stringify(JSON.parse(wanted))) {
    console.error('biome.json does not match scripts/layers.mjs: run `node scripts/layers.mjs`');
    process.exitCode = 1;
  }
}
