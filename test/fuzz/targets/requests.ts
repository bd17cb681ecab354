import { writeFileSync } from 'node:fs';
import { requestMetrics } from '../../../src/cli/metric-options.ts';
import { registerPluginFile } from '../../../src/cli/plugins.ts';
import { requestMethods, requestPreprocessing } from '../../../src/cli/settings.ts';
import { methods } from '../../../src/methods/index.ts';
import { metrics, resolveMetricOptions } from '../../../src/metrics/index.ts';
import { parsePreprocessing } from '../../../src/model/files/parse-preprocessing.ts';
import { createFunctionModel } from '../../../src/model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../../../src/model/input/preprocessing.ts';
import { parseTarget, resolveTargets } from '../../../src/model/target.ts';
import { describeOptions } from '../../../src/option-words.ts';
import { parseOptions } from '../../../src/options.ts';
import { type Plugin, registerPlugin } from '../../../src/plugin.ts';
import { at } from '../../../src/tensor/at.ts';
import type { Random } from '../../../src/tensor/random.ts';
import { tensor } from '../../../src/tensor/tensor.ts';
import { defineTarget } from '../engine.ts';
import { temporaryFolder } from '../folder.ts';
import { mutateJson } from '../mutations/json.ts';
import { chance, HOSTILE_NUMBERS, HOSTILE_TEXTS, pick } from '../mutations/pick.ts';
import { mutateText } from '../mutations/text.ts';

const model = createFunctionModel({
  name: 'even',
  labels: ['tench, Tinca tinca', 'b', 'constructor'],
  preprocessing: IMAGENET_PREPROCESSING,
  output: 'probabilities',
  classify: async ({ shape: [n = 0] }) => tensor([n, 3], new Float32Array(3 * n).fill(0.3)),
});

const hostileValue = (random: Random): string =>
  pick(random, [
    () => pick(random, HOSTILE_TEXTS),
    () => String(pick(random, HOSTILE_NUMBERS)),
    () => mutateJson(pick(random, [[0.5, 0.5], { a: 1 }, 'x', 3]), random),
    () => '1,'.repeat(pick(random, [1, 3, 20_000])),
    () => `${pick(random, HOSTILE_NUMBERS)}x${pick(random, HOSTILE_NUMBERS)}`,
  ])();

interface Flags {
  readonly method: string;
  readonly set: string;
  readonly metric: string;
  readonly setMetric: string;
  readonly preprocess: string;
  readonly target: string;
}

const FIELDS = [
  'size',
  'mean',
  'std',
  'colour',
  'color',
  'scale',
  'resize',
  'shorterSide',
  'stretchedSize',
  'filter',
  '__proto__',
  'constructor',
];
const TARGETS = [
  'top1',
  'top:3',
  '2',
  '-1',
  'tench',
  'top:',
  'class:tench',
  'top:99999999999999999999',
];

/** A setting of an object with options, often of an option that it has. */
function settingOf(name: string, options: readonly string[], random: Random): string {
  const option = chance(random, 0.8) && options.length > 0 ? pick(random, options) : '__proto__';
  const setting = `${name}.${option}=${hostileValue(random)}`;
  return chance(random, 0.2) ? mutateText(setting, random) : setting;
}

const namesOf = (object: Parameters<typeof describeOptions>[0]): string[] =>
  describeOptions(object).map(({ name }) => name);

/** `--set`, `--preprocess` and `--target`. Each is read, whatever the others come to. */
const flags = defineTarget<Flags>({
  name: 'flags',
  count: 1500,
  prepare: () => ({
    make(random) {
      const method = pick(random, methods.names);
      const metric = pick(random, metrics.names);
      return {
        method,
        set: settingOf(method, namesOf(methods.get(method)), random),
        metric,
        setMetric: settingOf(metric, namesOf(metrics.get(metric)), random),
        preprocess: `${pick(random, FIELDS)}=${hostileValue(random)}`,
        target: chance(random, 0.5)
          ? hostileValue(random)
          : mutateText(pick(random, TARGETS), random),
      };
    },
    read({ method, set, metric, setMetric, preprocess, target }) {
      const parts = [
        () =>
          requestMethods([method], [set]).map((each) => parseOptions(each.method, each.options)),
        () =>
          requestMetrics([metric], [setMetric]).map((each) =>
            resolveMetricOptions(each.metric, each.preset, each.options),
          ),
        () => parsePreprocessing(requestPreprocessing([preprocess]) ?? {}),
        () => resolveTargets(model, Float32Array.of(0.3, 0.3, 0.3), parseTarget(target)),
      ];
      const problems = parts.flatMap((part) => {
        try {
          part();
          return [];
        } catch (error) {
          return [error];
        }
      });
      const [first] = problems;
      const raw = problems.find((error) => (error as Error).name !== 'FoveaError');
      if (raw ?? first) throw raw ?? first;
    },
  }),
});

/** A plugin in which anything may stand for anything. */
function plugin(random: Random, number: number): Record<string, unknown> {
  const kinds = ['methods', 'metrics', 'datasets', 'colormaps', 'rules', 'extras', '__proto__'];
  const values: readonly (() => unknown)[] = [
    () => undefined,
    () => null,
    () => 1,
    () => pick(random, HOSTILE_TEXTS),
    () => [],
    () => ({}),
    () => Symbol('s'),
    () => () => [0, 0, 0],
    () => Object.create(null),
    () => new Proxy({}, { get: () => undefined }),
    () => ({ '~standard': {} }),
    () => ({ '~standard': { version: 1, vendor: 'x', validate: () => ({ issues: [{}] }) } }),
  ];
  const anything = () => pick(random, values)();
  const entry = () => ({
    name: chance(random, 0.7) ? `fuzzed-${number}-${random.integer(1e6)}` : anything(),
    title: anything(),
    needs: chance(random, 0.5) ? ['black-box'] : anything(),
    options: anything(),
    explain: chance(random, 0.5) ? () => [] : anything(),
    score: chance(random, 0.5) ? () => ({}) : anything(),
    open: chance(random, 0.5) ? () => ({}) : anything(),
    color: chance(random, 0.5) ? () => [0, 0, 0] : anything(),
    rules: anything(),
  });
  const made: [string, unknown][] = Array.from({ length: 1 + random.integer(3) }, () => [
    pick(random, kinds),
    chance(random, 0.8) ? Array.from({ length: random.integer(3) }, entry) : anything(),
  ]);
  return Object.fromEntries(made);
}

const plugins = defineTarget<Record<string, unknown>>({
  name: 'plugin',
  count: 3000,
  prepare() {
    let number = 0;
    return {
      make: (random) => plugin(random, number++),
      read(made) {
        registerPlugin(made as Plugin);
        const { methods = [], metrics = [], datasets = [] } = made as Plugin;
        // What was accepted is listed by commands.
        for (const each of [...methods, ...metrics, ...datasets]) describeOptions(each);
        for (const { needs } of [...methods, ...metrics]) needs.join();
      },
    };
  },
});

const MODULES = [
  'export default { methods: [] };',
  'export const plugin = { colormaps: [{ name: "a", color: () => [0, 0, 0] }] };',
  'module.exports = {};',
  'export default null; throw undefined;',
  'export default Promise.resolve({});',
  'throw new Error("\\u001b[31mred\\nline");',
  'throw { message: 3 };',
  'import "./missing.mjs";',
  'export default new Proxy({}, { ownKeys() { throw new TypeError("no keys"); } });',
];

/** Files of plugins: modules that are damaged, export something else, or throw. */
const pluginFiles = defineTarget<string>({
  name: 'plugin-file',
  count: 60,
  prepare() {
    const folder = temporaryFolder('plugin');
    let number = 0;
    return {
      make: (random) => {
        const text = pick(random, MODULES);
        // The test runner's own reader of modules is slow on long ones.
        return chance(random, 0.3) ? text : mutateText(text, random).slice(0, 4000);
      },
      async read(text) {
        const name = at(['a.mjs', 'b\u001b[31m.mjs'], number % 2);
        const path = folder.at(`${number++}-${name}`);
        writeFileSync(path, text);
        await registerPluginFile(path);
      },
      end: folder.remove,
    };
  },
});

export const requests = [flags, plugins, pluginFiles];
