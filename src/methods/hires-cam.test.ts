import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { convNet, picture } from './fixtures/nets.ts';
import { explainSmall, features, overChannels, slopesOf } from './fixtures/quadratic-net.ts';
import { describeCamReference } from './fixtures/reference.ts';
import { methods } from './index.ts';

describe('hires-cam', () => {
  // Draelos & Carin 2020, equation 5.
  it('equals activation times gradient in each cell', async () => {
    for (const target of [0, 1]) {
      const slopes = slopesOf(features, target);
      const { map } = await explainSmall('hires-cam', target);
      expect(map).toBeAllClose(overChannels((c, i) => slopes[c][i] * features[c][i]));
    }
  });

  it('equals Grad-CAM only if a mean over the cells and a linear layer follow', async () => {
    const maps = async (head: 'linear' | 'tanh') => {
      const model = await convNet(head);
      const layer = head === 'linear' ? 'features' : 'early';
      const both = await Promise.all(
        ['hires-cam', 'grad-cam'].map((method) =>
          explain(model, picture, { method: methods.get(method), target: 1, options: { layer } }),
        ),
      );
      return both.map(({ layers = [] }) => layers[0].map);
    };
    const [hires, grad] = await maps('linear');
    expect(hires).toBeAllClose(grad, { l2: 1e-5 });
    const [byCells, byChannels] = await maps('tanh');
    expect(byCells).not.toBeAllClose(byChannels, { l2: 1e-2 });
  });
});

describeCamReference('hires-cam', 'HiResCAM');
