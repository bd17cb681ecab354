/** A plugin as somebody outside the repository writes it: one thing of every kind. */
import { readFile } from 'node:fs/promises';
import { defineRules, rule } from 'fovea/autodiff';
import { createDataset, defineReader } from 'fovea/datasets';
import { defineMetric } from 'fovea/metrics';
import { defineMethod, definePlugin, option, readImage, tensor } from 'fovea/node';
import * as v from 'valibot';
import { z } from 'zod';

/** 1 in a frame of `wide` pixels at the border, 0 inside. Its options are of another library. */
export const frame = defineMethod({
  name: 'mine',
  title: 'A frame',
  family: 'perturbation',
  paper: 'none',
  needs: ['black-box'],
  signed: false,
  cost: '0',
  options: z.object({ wide: z.number().int().min(1).default(1) }),
  async explain({ input, targets, options: { wide } }) {
    const [, , height, width] = input.shape;
    const isFrame = (x, y) => Math.min(x, y, width - 1 - x, height - 1 - y) < wide;
    const data = Float32Array.from({ length: width * height }, (_, i) =>
      isFrame(i % width, Math.floor(i / width)) ? 1 : 0,
    );
    return targets.map(() => ({ map: tensor([height, width], data) }));
  },
});

/** The share of the pixels whose value is above a threshold. */
export const share = defineMetric({
  name: 'mine',
  title: 'Share of the picture',
  direction: 'lower',
  range: [0, 1],
  paper: 'none',
  needs: [],
  presets: { half: { above: 0.5 }, all: { above: -1 } },
  options: v.object({ above: option(v.number(), 0.5, 'what a pixel must be above') }),
  measure: ({ map: { data } }, { above }) => ({
    value: data.filter((value) => value > above).length / data.length,
  }),
});

/** A list of pictures, one path per line, all of one class. */
export const list = defineReader({
  name: 'mine',
  title: 'A list of pictures',
  path: 'a text file with a path on each line',
  options: v.object({ label: option(v.string(), 'teapot', 'the class of all of them') }),
  async open(path, { label }) {
    const files = (await readFile(path, 'utf8')).trim().split('\n');
    return createDataset({
      name: `mine:${path}`,
      length: files.length,
      provides: ['label'],
      protocol: [],
      problems: [],
      idOf: (index) => files[index],
      read: async (index) => ({
        id: files[index],
        image: await readImage(files[index]),
        label: { name: label },
      }),
    });
  },
});

export default definePlugin({
  methods: [frame],
  metrics: [share],
  datasets: [list],
  colormaps: [{ name: 'mine', color: (position) => (position > 0.5 ? '#ff0000' : '#0000ff') }],
  rules: [
    defineRules({ name: 'mine-same', title: 'No rule is replaced', rules: {} }),
    defineRules({
      name: 'mine-stop',
      title: 'ReLUs stop every gradient',
      rules: { Relu: rule(({ ops }, [dy]) => [ops.scale(dy, 0)]) },
    }),
  ],
});
