import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IMAGENET_PREPROCESSING, type Preprocessing } from '../model/input/preprocessing.ts';
import { encodePng } from '../node/write-image.ts';
import type { PreparedInput } from '../prepare-input.ts';
import { encodeNpy } from '../tensor/npy.ts';
import { tensor } from '../tensor/tensor.ts';
import { loadMask } from './masks.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-masks-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);

/** A prepared picture of this size; masks need no other field. */
const picture = (width: number, height: number) => ({ width, height }) as PreparedInput;

async function writeMask(
  name: string,
  width: number,
  height: number,
  isObject: (x: number, y: number) => boolean,
): Promise<void> {
  const data = Uint8Array.from({ length: width * height }, (_, i) =>
    isObject(i % width, Math.floor(i / width)) ? 1 : 0,
  );
  await writeFile(at(name), await encodePng({ width, height, channels: 1, data }));
}

describe('loadMask', () => {
  const small: Preprocessing = { ...IMAGENET_PREPROCESSING, size: [4, 4] };

  test('any value but 0 is the object; several masks are joined', async () => {
    await writeMask('left.png', 4, 4, (x) => x === 0);
    await writeFile(
      at('right.npy'),
      encodeNpy(
        tensor(
          [4, 4],
          Float32Array.from({ length: 16 }, (_, i) => (i % 4 === 3 ? 0.5 : 0)),
        ),
      ),
    );
    expect(
      [...(await loadMask([at('left.png'), at('right.npy')], picture(4, 4), small))].slice(0, 4),
    ).toEqual([1, 0, 0, 1]);
  });

  test('follows the stretch or the crop of the picture, by nearest neighbours', async () => {
    await writeMask('wide.png', 16, 8, (x) => x < 8);
    const stretched = await loadMask([at('wide.png')], picture(16, 8), small);
    expect([...stretched].slice(0, 4)).toEqual([1, 1, 0, 0]);
    await writeMask('edge.png', 16, 8, (x) => x < 6);
    const cropped = await loadMask([at('edge.png')], picture(16, 8), { ...small, resize: 'crop' });
    expect([...cropped].slice(0, 4)).toEqual([1, 0, 0, 0]);
  });

  test("a mask of the model's input size stays unchanged", async () => {
    await writeMask('ready.png', 4, 4, (_, y) => y === 3);
    expect([...(await loadMask([at('ready.png')], picture(640, 480), small))].slice(8)).toEqual([
      0, 0, 0, 0, 1, 1, 1, 1,
    ]);
  });

  test('any other size is refused', async () => {
    await writeMask('odd.png', 5, 4, () => true);
    await expect(loadMask([at('odd.png')], picture(640, 480), small)).rejects.toThrow(
      'odd.png is 5×4: expected the size of the picture, 640×480',
    );
  });
});
