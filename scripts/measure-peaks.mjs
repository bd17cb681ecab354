/**
 * Measures how often the highest point of each method's map lies on the object, on the demo models,
 * and prints the table of docs/methods/README.md.
 *
 * Usage, after `npm run build`: node scripts/measure-peaks.mjs [scenes] [minutes]
 * [method,method,…] [model,model]
 */
import { demoScenes } from '../dist/cli/demo/demo-scenes.js';
import { loadSprites } from '../dist/demo/sprites.js';
import { explain, loadModel, methods, prepareInput } from '../dist/node.js';

/**
 * Options with fewer samples than the defaults, so that all methods can be measured in a reasonable
 * time.
 */
const OPTIONS = {
  'iassa-2020': { stride: 16, iterations: 2 },
  rise: { N: 500 },
  oise: { N: 1000 },
  lime: { N: 200, segmentation: 'slic' },
  'kernel-shap': { N: 200, segments: 25 },
  sobol: { design: 6 },
  hsic: { N: 250 },
  lima: { segments: 20 },
  phasewin: { segments: 25 },
  sag: { maxCalls: 600 },
  rex: { maxCalls: 600, sets: 1, setCalls: 40 },
  'i-gos': { iterations: 3, steps: 10 },
  'integrated-gradients': { steps: 20 },
  'expected-gradients': { samples: 20 },
  smoothgrad: { samples: 10 },
  xrai: { steps: 10 },
  'guided-ig': { steps: 15 },
  'blur-ig': { steps: 10 },
  iia: { steps: 4 },
};
const MODELS = process.argv[5]?.split(',') ?? ['demo-cnn', 'demo-vit'];

const count = Number(process.argv[2] ?? 20);
const deadline = performance.now() + 60_000 * Number(process.argv[3] ?? 60);
const scenes = demoScenes(await loadSprites(), count);
const models = await Promise.all(MODELS.map((name) => loadModel(name)));
const names = process.argv[4] ? process.argv[4].split(',') : [...methods.names];
const hits = new Map(
  names.map((name) => [name, MODELS.map(() => ({ hits: 0, scenes: 0, refused: '' }))]),
);
let chance = 0;
let done = 0;

for (const scene of scenes) {
  if (performance.now() > deadline) break;
  chance += scene.mask.reduce((sum, value) => sum + (value ? 1 : 0), 0) / scene.mask.length;
  for (const [m, model] of models.entries()) {
    const prepared = await prepareInput(model, scene.image);
    for (const [name, counts] of hits) {
      if (counts[m].refused) continue;
      try {
        const { map } = await explain(model, prepared, {
          method: name,
          target: scene.label,
          options: OPTIONS[name],
        });
        const peak = map.data.indexOf(map.data.reduce((most, value) => Math.max(most, value)));
        counts[m].hits += scene.mask[peak] ? 1 : 0;
        counts[m].scenes++;
      } catch (error) {
        if (error.code === 'unsupported') counts[m].refused = error.message;
        else counts[m].scenes++; // a failed explanation counts as a miss
      }
    }
  }
  done++;
  process.stderr.write(`${done} of ${count}\n`);
}
const share = ({ hits: found, scenes: all, refused }) =>
  refused ? '—' : `${Math.round((100 * found) / all)} %`;
process.stdout.write(
  `${done} scenes, chance ${((100 * chance) / done).toFixed(1)} %\n\n` +
    `| method | ${MODELS.join(' | ')} |\n| --- | ${MODELS.map(() => '---').join(' | ')} |\n`,
);
for (const [name, counts] of hits)
  process.stdout.write(`| \`${name}\` | ${counts.map(share).join(' | ')} |\n`);
for (const [name, counts] of hits)
  for (const { refused } of counts) if (refused) process.stdout.write(`${name}: ${refused}\n`);
await Promise.all(models.map((model) => model.dispose()));
