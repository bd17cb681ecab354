import { expect, it } from 'vitest';
import { explain, explainAll } from '../explain.ts';
import { auto } from './auto.ts';
import { convNet, picture } from './fixtures/nets.ts';
import { fullgrad } from './fullgrad.ts';
import type { PartialMap } from './method.ts';

const network = await convNet('tanh');
const blackBox = { ...network, inside: undefined };

/** A run, with the number of calls and the method of each intermediate map. */
async function run(model: typeof network, more = {}, accept = (_: PartialMap) => false) {
  const offered: (readonly [calls: number, method: unknown])[] = [];
  const onMap = (partial: PartialMap) => {
    offered.push([partial.calls, partial.detail.method]);
    return accept(partial);
  };
  const explanation = await explain(model, picture, { method: auto, target: 0, onMap, ...more });
  const { extras, modelCalls } = explanation.manifest;
  return { ...explanation, offered, extras, calls: modelCalls.forward };
}

it('offers the map of the network after one call, and ends with the map of samples', async () => {
  const { offered, extras, calls } = await run(network);
  expect(calls).toBe(600);
  expect(offered[0]).toEqual([1, 'fullgrad']);
  expect(offered.slice(1).every(([made, method]) => method === 'rise' && made > 500)).toBe(true);
  expect(offered.length).toBeGreaterThan(3);
  const why = '599 model calls were left after fullgrad';
  expect(extras).toMatchObject({ method: 'rise', why, masks: 599 });
});

it('keeps the map of the network if few calls are left', async () => {
  const { map, extras, calls, offered } = await run(network, { budget: 450 });
  expect(extras).toMatchObject({
    method: 'fullgrad',
    why: '449 model calls are too few for samples',
  });
  expect([calls, offered.length]).toEqual([1, 1]);
  const gradients = await explain(network, picture, { method: fullgrad, target: 0 });
  expect([...map.data]).toEqual([...gradients.map.data]);
});

it('ends with the map of the network for each class whose map the caller accepts', async () => {
  const { extras, calls } = await run(network, {}, () => true);
  expect(extras).toMatchObject({
    method: 'fullgrad',
    why: 'the caller has accepted the first map',
  });
  expect(calls).toBe(1);
  const onMap = ({ target }: PartialMap) => target.index === 1;
  const both = await explainAll(network, picture, { method: auto, target: [0, 1, 2], onMap });
  expect(both.map(({ manifest }) => manifest.extras.method)).toEqual(['rise', 'fullgrad', 'rise']);
});

it('uses samples only if the network cannot be read, and at most the calls it may make', async () => {
  const { extras, offered, calls } = await run(blackBox, { budget: 90, options: { calls: 500 } });
  expect(extras).toMatchObject({ method: 'rise', masks: 90 });
  expect(extras.why).toBe('the network has no map of its own, and 90 model calls were allowed');
  expect(calls).toBe(90);
  expect(offered.every(([made, method]) => method === 'rise' && made >= 50 && made <= 90)).toBe(
    true,
  );
  expect((await run(blackBox, { budget: 700, options: { calls: 50 } })).calls).toBe(50);
  expect((await run(blackBox, { budget: 700 })).calls).toBe(700);
});
