/**
 * Methods with options of three schema libraries at versions that Fovea does not use itself: what
 * compiles, and what does not.
 */
import {
  defineMethod,
  type Explanation,
  explain,
  type Image,
  type Model,
  option,
  type Tensor,
} from 'fovea';
import type { Dataset } from 'fovea/datasets';
import { evaluate } from 'fovea/evaluate';
import * as v from 'valibot';
import { z } from 'zod';
import { z as z3 } from 'zod3';

declare const model: Model;
declare const picture: Image;
declare const map: Tensor;
declare const dataset: Dataset;

const facts = {
  title: 'A frame',
  family: 'perturbation',
  paper: 'none',
  needs: ['black-box'],
  signed: false,
  cost: '0',
} as const;

const byValibot = defineMethod({
  ...facts,
  name: 'by-valibot',
  options: v.object({ wide: option(v.number(), 1, 'pixels') }),
  async explain({ targets, options }) {
    const wide: number = options.wide;
    return targets.map(() => ({ map, warnings: [String(wide)] }));
  },
});

const byZod = defineMethod({
  ...facts,
  name: 'by-zod',
  options: z.object({ wide: z.number().default(1) }),
  async explain({ targets, options }) {
    const wide: number = options.wide;
    // @ts-expect-error: the type is a number
    const wrong: string = options.wide;
    return targets.map(() => ({ map, warnings: [String(wide), wrong] }));
  },
});

const byZod3 = defineMethod({
  ...facts,
  name: 'by-zod-3',
  options: z3.object({ wide: z3.number().default(1) }),
  async explain({ targets, options }) {
    const wide: number = options.wide;
    return targets.map(() => ({ map, warnings: [String(wide)] }));
  },
});

export const right: Promise<Explanation>[] = [
  explain(model, picture, { method: byValibot, options: { wide: 2 } }),
  explain(model, picture, { method: byZod, options: { wide: 2 } }),
  explain(model, picture, { method: byZod3, options: { wide: 2 } }),
  explain(model, picture, { method: byZod, target: { class: 'cat' } }),
];
evaluate(dataset, {
  model,
  methods: [byZod, 'rise', { method: byZod3, options: { wide: 3 } }],
  metrics: ['deletion'],
});

// @ts-expect-error: no such option
explain(model, picture, { method: byValibot, options: { high: 2 } });
// @ts-expect-error: no such option
explain(model, picture, { method: byZod, options: { high: 2 } });
// @ts-expect-error: no such option
explain(model, picture, { method: byZod3, options: { high: 2 } });
// @ts-expect-error: a number
explain(model, picture, { method: byValibot, options: { wide: 'two' } });
// @ts-expect-error: a number
explain(model, picture, { method: byZod, options: { wide: 'two' } });
// @ts-expect-error: a number
explain(model, picture, { method: byZod3, options: { wide: 'two' } });
// @ts-expect-error: no such method
evaluate(dataset, { model, methods: ['rice'], metrics: ['deletion'] });
// @ts-expect-error: no such metric
evaluate(dataset, { model, methods: ['rise'], metrics: ['delation'] });
// @ts-expect-error: no such option
evaluate(dataset, { model, methods: [{ method: byZod, options: { high: 2 } }], metrics: [] });
