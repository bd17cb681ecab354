import { expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { convNet, picture } from './fixtures/nets.ts';
import { describeCamReference, relativeError } from './fixtures/reference.ts';

it('is Grad-CAM where a linear layer follows the mean over the cells, and something else where it does not', async () => {
  const maps = async (head: 'linear' | 'tanh') => {
    const model = await convNet(head);
    const both = await Promise.all(
      ['hires-cam', 'grad-cam'].map((method) =>
        explain(model, picture, {
          method,
          target: 1,
          options: { layer: head === 'linear' ? 'features' : 'early' },
        }),
      ),
    );
    return both.map(({ layers = [] }) => layers[0].map.data);
  };
  const [hires, grad] = await maps('linear');
  expect(relativeError(hires, grad)).toBeLessThan(1e-5);
  const [byCells, byChannels] = await maps('tanh');
  expect(relativeError(byCells, byChannels)).toBeGreaterThan(1e-2);
});

describeCamReference('hires-cam', 'HiResCAM');
