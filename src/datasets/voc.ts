import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { FoveaError } from '../errors.ts';
import { createMask, type Mask } from '../image/mask.ts';
import { readImage, readSamples } from '../node/read-image.ts';
import { option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { createDataset, defineReader, type Sample } from './dataset.ts';
import { linesOf, readText } from './files.ts';
import { VOC_CLASSES, vocToImagenet } from './imagenet-classes.ts';
import { readBoxes } from './voc-annotation.ts';

const VOID = 255;

/**
 * The colour of a class in VOC's palette: the bits of the index, spread over the channels from the
 * highest bit down.
 */
function vocColour(index: number): number {
  let [red, green, blue] = [0, 0, 0];
  for (let bit = 0, rest = index; bit < 8; bit++, rest >>= 3) {
    red |= (rest & 1) << (7 - bit);
    green |= ((rest >> 1) & 1) << (7 - bit);
    blue |= ((rest >> 2) & 1) << (7 - bit);
  }
  return (red << 16) | (green << 8) | blue;
}

/** Index by colour. Index 255 is void. */
const INDEX_OF = new Map(
  Array.from({ length: 256 }, (_, index) => [vocColour(index), index] as const),
);

/**
 * The class of each pixel of a VOC mask: a grey file contains palette indices, a palette file
 * decodes to VOC's colours.
 */
async function readClasses(path: string): Promise<Mask> {
  const { width, height, channels, data } = await readSamples(path);
  if (channels === 1) return { width, height, data };
  const classes = Uint8Array.from({ length: width * height }, (_, i) => {
    const [red = 0, green = 0, blue = 0] = data.subarray(3 * i, 3 * i + 3);
    const index = INDEX_OF.get((red << 16) | (green << 8) | blue);
    if (index === undefined)
      throw new FoveaError(
        'image',
        `${path} contains the colour ${red}, ${green}, ${blue}, which is not in VOC's palette`,
      );
    return index;
  });
  return { width, height, data: classes };
}

type VoidRule = 'exclude' | 'object' | 'background';

const VOID_TEXT: Readonly<Record<VoidRule, string>> = {
  exclude: 'void pixels (255) count neither as object nor as background',
  object: 'void pixels (255) count as object, as in the published tables',
  background: 'void pixels (255) count as background',
};

/** Mask and void pixels of one class, or of all classes. */
function truthOf(
  classes: Mask,
  wanted: number | undefined,
  rule: VoidRule,
): Pick<Sample, 'mask' | 'void'> {
  const { width, height, data } = classes;
  const isObject = (value: number) =>
    value === VOID ? rule === 'object' : wanted === undefined ? value > 0 : value === wanted;
  return {
    mask: createMask(width, height, (i) => isObject(at(data, i))),
    ...(rule === 'exclude' && { void: createMask(width, height, (i) => data[i] === VOID) }),
  };
}

/**
 * The folder that contains JPEGImages: the path itself, or a folder below it such as
 * VOCdevkit/VOC2012.
 */
function rootOf(path: string): string {
  const usual = ['', 'VOC2012', 'VOC2007', 'VOCdevkit/VOC2012', 'VOCdevkit/VOC2007'].map((name) =>
    join(path, name),
  );
  return usual.find((each) => existsSync(join(each, 'JPEGImages'))) ?? path;
}

async function presentClasses(root: string, id: string): Promise<number[]> {
  const { data } = await readClasses(join(root, 'SegmentationClass', `${id}.png`));
  return [...new Set(data)]
    .filter((value) => value > 0 && value <= VOC_CLASSES.length)
    .sort((a, b) => a - b);
}

interface Entry {
  readonly id: string;
  /** One class of the picture, 1 … 20; all classes together if absent. */
  readonly value?: number;
}

/**
 * One sample per picture, or one per picture and class. Pictures whose mask cannot be read are
 * kept; they fail when they are read.
 */
async function entriesOf(
  root: string,
  ids: readonly string[],
  masks: 'category' | 'union',
): Promise<Entry[]> {
  if (masks === 'union') return ids.map((id) => ({ id }));
  const entries: Entry[] = [];
  for (const id of ids) {
    const values = await presentClasses(root, id).catch(() => undefined);
    if (values === undefined) entries.push({ id });
    else
      entries.push(
        ...values
          .filter((value) => vocToImagenet(VOC_CLASSES[value - 1] ?? '').length > 0)
          .map((value) => ({ id, value })),
      );
  }
  return entries;
}

const nameOf = ({ id, value }: Entry): string =>
  value === undefined ? id : `${id}.${VOC_CLASSES[value - 1]}`;

/** Reads PASCAL VOC's class segmentations, 2007 and 2012. */
export const voc = defineReader({
  name: 'voc',
  title: 'PASCAL VOC class segmentations',
  path:
    'a folder with JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/ (VOC2007, ' +
    'VOC2012)',
  options: v.object({
    set: option(v.string(), 'val', 'list of pictures: ImageSets/Segmentation/SET.txt'),
    masks: option(
      v.picklist(['category', 'union']),
      'category',
      'one sample per picture and class, or one per picture with all classes together',
    ),
    void: option(
      v.picklist(['exclude', 'object', 'background']),
      'exclude',
      'how pixels marked 255 count: not at all, as object (as in the published tables) or as ' +
        'background',
    ),
  }),

  async open(path, { set, masks, void: rule }) {
    const root = rootOf(path);
    const list = join(root, 'ImageSets', 'Segmentation', `${set}.txt`);
    const ids = linesOf(await readText(list, 'the list of pictures')).map(({ text }) =>
      text.replace(/\s.*$/s, ''),
    );
    const entries = await entriesOf(root, ids, masks);
    const what =
      masks === 'union' ? 'all classes together' : 'one class; one sample per picture and class';
    const label =
      masks === 'union'
        ? []
        : [
            'Label: the ImageNet classes that count as the class, by the table in ' +
              'docs/datasets.md; person has no such class and is left out.',
          ];
    return createDataset({
      name: `voc:${path}`,
      length: entries.length,
      provides: [
        ...(masks === 'union' ? [] : (['label'] as const)),
        'mask',
        'boxes',
        ...(rule === 'exclude' ? (['void'] as const) : []),
      ],
      classes: 'imagenet',
      protocol: [`Mask: the pixels of ${what}; ${VOID_TEXT[rule]}.`, ...label],
      problems: [],
      idOf: (i) => nameOf(at(entries, i)),
      async read(i) {
        const { id, value } = at(entries, i);
        const image = await readImage(join(root, 'JPEGImages', `${id}.jpg`));
        const classes = await readClasses(join(root, 'SegmentationClass', `${id}.png`));
        if (classes.width !== image.width || classes.height !== image.height)
          throw new FoveaError(
            'image',
            `the mask of ${id} is ${classes.width}×${classes.height}, its picture ` +
              `${image.width}×${image.height}`,
          );
        const name = value === undefined ? undefined : VOC_CLASSES[value - 1];
        const boxes = await readBoxes(join(root, 'Annotations', `${id}.xml`), name);
        return {
          id: nameOf(at(entries, i)),
          image,
          ...(name !== undefined && { label: { name, indices: vocToImagenet(name) } }),
          ...truthOf(classes, value, rule),
          boxes,
        };
      },
    });
  },
});
