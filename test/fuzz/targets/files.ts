import { writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { parseLabels } from '../../../src/model/files/parse-labels.ts';
import { readImage, readImageSize, readSamples } from '../../../src/node/read-image.ts';
import { decodeNpy, encodeNpy } from '../../../src/tensor/npy.ts';
import type { Random } from '../../../src/tensor/random.ts';
import { tensor } from '../../../src/tensor/tensor.ts';
import { defineTarget } from '../engine.ts';
import { temporaryFolder } from '../folder.ts';
import { mutateBytes } from '../mutations/bytes.ts';
import { mutateJsonFile } from '../mutations/json.ts';
import { chance, HOSTILE_NUMBERS, pick } from '../mutations/pick.ts';
import { mutateText, mutateTextFile } from '../mutations/text.ts';

/** A `.npy` file around a header, of version 1 or 2. */
function npyOf(header: string, data: Uint8Array, version: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const head = Buffer.alloc(version === 1 ? 10 : 12);
  head.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  if (version === 1) head.writeUInt16LE(text.length & 0xffff, 8);
  else head.writeUInt32LE(text.length, 8);
  return new Uint8Array(Buffer.concat([head, text, data]));
}

const npy = defineTarget<Uint8Array>({
  name: 'npy',
  count: 20_000,
  prepare: () => ({
    make(random) {
      const side = random.integer(5);
      if (chance(random, 0.3)) return mutateBytes(encodeNpy(tensor([side, 3])), random);
      const type = pick(random, ['<f4', '>f8', '|u1', '<i8', '<f2', '|b1', '<c8', 'constructor']);
      const sizes = Array.from({ length: random.integer(5) }, () =>
        chance(random, 0.6) ? random.integer(4) : pick(random, HOSTILE_NUMBERS),
      );
      const order = pick(random, ['True', 'False', 'None']);
      const header =
        `{'descr': '${type}', 'fortran_order': ${order}, 'shape': ` + `(${sizes.join(', ')}), }\n`;
      const text = chance(random, 0.6) ? mutateText(header, random) : header;
      return npyOf(text, new Uint8Array(8 * random.integer(20)), 1 + random.integer(3));
    },
    read: (bytes) => decodeNpy(bytes, 'x.npy'),
  }),
});

/** The chunks of a PNG file behind its signature: type and data. */
function pngChunks(file: Uint8Array): (readonly [type: string, data: Buffer])[] {
  const bytes = Buffer.from(file);
  const chunks: (readonly [string, Buffer])[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    chunks.push([type, bytes.subarray(at + 8, at + 8 + length)]);
    at += 12 + length;
  }
  return chunks;
}

/** A PNG file with chunks changed, repeated or left out, and right checksums. */
function mutatePng(file: Uint8Array, random: Random): Uint8Array {
  const chunks = pngChunks(file).flatMap(([type, data]) => {
    if (chance(random, 0.1)) return [];
    const changed = chance(random, 0.4) ? mutateBytes(data, random) : data;
    return Array<readonly [string, Uint8Array]>(chance(random, 0.1) ? 3 : 1).fill([type, changed]);
  });
  const written = chunks.map(([type, data]) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  });
  return new Uint8Array(Buffer.concat([Buffer.from(file.subarray(0, 8)), ...written]));
}

/** One picture in every format that is read. */
async function pictures(): Promise<{ png: Uint8Array[]; others: Uint8Array[] }> {
  const data = Uint8Array.from({ length: 4 * 16 * 12 }, (_, i) => (i * 7) % 256);
  const picture = () => sharp(data, { raw: { width: 16, height: 12, channels: 4 } });
  const bytes = async (made: Sharp) => new Uint8Array(await made.toBuffer());
  return {
    png: [await bytes(picture().png()), await bytes(picture().png({ palette: true }))],
    others: await Promise.all([
      bytes(picture().jpeg()),
      bytes(picture().jpeg({ progressive: true }).withMetadata({ orientation: 6 })),
      bytes(picture().webp()),
      bytes(picture().webp({ lossless: true })),
      bytes(picture().gif()),
      bytes(picture().tiff()),
      bytes(picture().avif()),
    ]),
  };
}

const picture = defineTarget<Uint8Array>({
  name: 'picture',
  count: 700,
  async prepare() {
    const { png, others } = await pictures();
    const folder = temporaryFolder('picture');
    return {
      make: (random) =>
        chance(random, 0.4)
          ? mutatePng(pick(random, png), random)
          : mutateBytes(pick(random, others), random),
      async read(bytes) {
        const size = await readImageSize(bytes);
        const image = await readImage(bytes);
        if (image.width !== size.width || image.height !== size.height)
          throw new Error(`the header says ${size.width}×${size.height}`);
        writeFileSync(folder.at('mask'), bytes);
        await readSamples(folder.at('mask'));
      },
      end: folder.remove,
    };
  },
});

const LABELS = [
  'tench\ngoldfish\ngreat white shark\n',
  '0: tench\n1: goldfish\n2, shark\n',
  'n01440764 tench\nn01443537 goldfish\n',
];
const LABELS_JSON = [['a', 'b'], { 0: 'a', 1: 'b' }, { 0: ['n1', 'a'], 1: ['n2', 'b'] }];

const labels = defineTarget<Uint8Array>({
  name: 'labels',
  count: 3000,
  prepare: () => ({
    make: (random) =>
      chance(random, 0.4)
        ? mutateJsonFile(pick(random, LABELS_JSON), random)
        : mutateTextFile(pick(random, LABELS), random),
    read: (bytes) => parseLabels(new TextDecoder().decode(bytes), 'labels.txt'),
  }),
});

export const files = [npy, picture, labels];
