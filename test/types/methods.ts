/**
 * What does not compile when methods and metrics are used. Checked by `npm run types` against the
 * sources, and by test/package/package.test.ts against the packed package.
 */
import { defineMethod, type Explanation, explain, type Image, type Model } from 'fovea';
import { gradCam } from 'fovea/methods/grad-cam';
import { rise } from 'fovea/methods/rise';
import { insertion } from 'fovea/metrics/insertion';

declare const model: Model;
declare const picture: Image;
declare const map: Explanation['map'];

/** Each line compiles by itself. */
export const right = [
  explain(model, picture),
  explain(model, picture, { method: rise }),
  explain(model, picture, { method: rise, options: { N: 1000 } }),
  explain(model, picture, { method: 'rise', options: { N: 1000 } }),
  explain(model, picture, { method: 'grad-cam', target: 'top1' }),
  explain(model, picture, { method: gradCam, target: 3 }),
  insertion.score({ map, options: { step: 100 } }),
];

// @ts-expect-error: no such method
explain(model, picture, { method: 'rice' });
// @ts-expect-error: no such option, by name
explain(model, picture, { method: 'rise', options: { M: 1000 } });
// @ts-expect-error: no such option, by object
explain(model, picture, { method: rise, options: { M: 1000 } });
// @ts-expect-error: an option of another method
explain(model, picture, { method: gradCam, options: { N: 1000 } });
// @ts-expect-error: a number, by name
explain(model, picture, { method: 'rise', options: { N: 'many' } });
// @ts-expect-error: a number, by object
explain(model, picture, { method: rise, options: { N: 'many' } });
// @ts-expect-error: one of several words
explain(model, picture, { method: rise, options: { baseline: 'purple' } });
// @ts-expect-error: a target is not a flag
explain(model, picture, { method: rise, target: true });
// @ts-expect-error: a target is not an object of anything
explain(model, picture, { method: rise, target: { name: 'cat' } });
// @ts-expect-error: a method is not any object
explain(model, picture, { method: { name: 'rise' } });
// @ts-expect-error: no such option of a metric
insertion.score({ map, options: { stride: 100 } });
// @ts-expect-error: an option of a metric is a number
insertion.score({ map, options: { step: 'all' } });

/** Options of a method are complete and typed where it computes. */
export const typed = defineMethod({
  ...rise,
  name: 'mine',
  async explain({ options, targets }) {
    const count: number = options.N;
    // @ts-expect-error: the type is a number
    const wrong: string = options.N;
    return targets.map(() => ({ map, warnings: [wrong, String(count)] }));
  },
});
