/** Runs the plugin through the library and prints what came out as JSON. */
import { openDataset } from 'fovea/datasets';
import { evaluate, explain, explainAll, loadModel, readImage, registerPlugin } from 'fovea/node';
import plugin, { frame, list, share } from './mine.js';

const model = await loadModel('demo-cnn');
const picture = await readImage('white.png');
const sumOf = ({ map }) => map.data.reduce((sum, value) => sum + value, 0);

const byObject = await explain(model, picture, { method: frame, options: { wide: 2 } });
registerPlugin(plugin, 'mine.js');
const byName = await explainAll(model, picture, { method: 'mine', target: [0, 1] });

const gradient = async (options) => [
  ...(await explain(model, picture, { method: 'gradient', target: 0, options })).map.data,
];
const [plain, same, stopped] = [
  await gradient({}),
  await gradient({ rules: 'mine-same' }),
  await gradient({ rules: 'mine-stop' }),
];

const objects = { methods: [frame], metrics: [share] };
const names = { methods: ['mine', 'random'], metrics: ['mine', { metric: 'mine', preset: 'all' }] };
const scores = [];
for (const [data, rows] of [
  [await openDataset({ reader: list, path: 'list.txt' }), objects],
  [await openDataset('mine:list.txt', { label: 'apple' }), names],
]) {
  const { summary, problems } = await evaluate(data, { model, ...rows });
  scores.push({ problems, pictures: summary.pictures, values: summary.table.map((c) => c.value) });
}
await model.dispose();

console.log(
  JSON.stringify({
    size: byObject.map.shape,
    sums: [byObject, ...byName].map(sumOf),
    targets: byName.map(({ target }) => target.index),
    isSame: plain.every((value, i) => value === same[i]),
    isPlainZero: plain.every((value) => value === 0),
    isStopped: stopped.every((value) => value === 0),
    scores,
  }),
);
