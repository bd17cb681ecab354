import { existsSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import * as v from 'valibot';
import { checkJson } from '../check-json.ts';
import { FoveaError } from '../errors.ts';
import type { Mask } from '../image/mask.ts';
import { parseJson } from '../json.ts';
import { readImage } from '../node/read-image.ts';
import { integer, number, option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { type Box, createDataset, defineReader } from './dataset.ts';
import { hashOf, naturalOrder, readText } from './files.ts';
import { cocoToImagenet } from './imagenet-classes.ts';
import { fillPolygon } from './polygon.ts';
import { decodeRuns, fromRuns } from './rle.ts';

const runLength = v.object({
  size: v.strictTuple([integer, integer]),
  counts: v.union([v.string(), v.array(number)]),
});
const annotationSchema = v.object({
  image_id: number,
  category_id: number,
  iscrowd: v.optional(v.union([v.literal(0), v.literal(1), v.boolean()]), 0),
  bbox: v.optional(v.pipe(v.array(number), v.length(4))),
  segmentation: v.union([v.array(v.array(number)), runLength]),
});
const fileSchema = v.object({
  images: v.array(
    v.object({
      id: number,
      file_name: v.string(),
      width: number,
      height: number,
    }),
  ),
  annotations: v.array(v.unknown()),
  categories: v.array(
    v.object({
      id: number,
      name: v.string(),
    }),
  ),
});

type Annotation = v.InferOutput<typeof annotationSchema>;
type Picture = v.InferOutput<typeof fileSchema>['images'][number];

/**
 * The mask of an annotation: from polygons, or from run lengths as numbers or as COCO's compressed
 * text.
 */
export function maskOf(
  { segmentation }: Pick<Annotation, 'segmentation'>,
  width: number,
  height: number,
): Uint8Array {
  if (Array.isArray(segmentation)) {
    const mask = new Uint8Array(width * height);
    for (const points of segmentation) fillPolygon(mask, width, height, points);
    return mask;
  }
  const { size, counts } = segmentation;
  if (size[0] !== height || size[1] !== width)
    throw new FoveaError(
      'image',
      `a run-length mask is ${size[1]}×${size[0]}, its picture ${width}×${height}`,
    );
  return fromRuns(typeof counts === 'string' ? decodeRuns(counts) : counts, width, height);
}

/** One sample: a picture, or a picture and one of its categories. */
interface Entry {
  readonly picture: Picture;
  readonly annotations: readonly Annotation[];
  readonly category?: string;
}

interface Index {
  readonly pictures: readonly Picture[];
  readonly byPicture: ReadonlyMap<number, readonly Annotation[]>;
  readonly categories: ReadonlyMap<number, string>;
  readonly problems: readonly string[];
}

/** The instances file, or `instances.json`, `instances_val2017.json`, … in a folder. */
function instancesPath(path: string): string {
  if (extname(path).toLowerCase() === '.json') return path;
  const usual = [
    'instances.json',
    'annotations/instances_val2017.json',
    'annotations/instances_val2014.json',
  ].map((name) => join(path, name));
  return usual.find((file) => existsSync(file)) ?? at(usual, 0);
}

/**
 * The folder of the pictures: `images/`, the folder of the set in the file's name, or the file's
 * own folder.
 */
function imagesFolder(file: string): string {
  const set = /instances_(\w+)\.json$/.exec(basename(file))?.[1];
  const folder = dirname(file);
  const usual = [
    join(folder, 'images'),
    ...(set ? [join(folder, set), join(folder, '..', set), join(folder, '..', 'images', set)] : []),
  ];
  return usual.find((each) => existsSync(each)) ?? folder;
}

function parseInstances(text: string, file: string): v.InferOutput<typeof fileSchema> {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch {
    throw new FoveaError('usage', `${file} is not JSON: expected COCO's instances file`);
  }
  const { value, problems } = checkJson(fileSchema, json, 'the file');
  if (!problems) return value;
  throw new FoveaError('usage', `${file} is not a COCO instances file: ${problems[0]}`);
}

/**
 * Groups annotations by picture. Damaged annotations, and those of an unknown picture or category,
 * become problems.
 */
function indexOf(
  file: string,
  { images, annotations, categories }: v.InferOutput<typeof fileSchema>,
): Index {
  const names = new Map(categories.map(({ id, name }) => [id, name]));
  const byPicture = new Map<number, Annotation[]>(images.map(({ id }) => [id, []]));
  const problems: string[] = [];
  for (const [i, value] of annotations.entries()) {
    const { success, output: data } = v.safeParse(annotationSchema, value);
    const where = `${file}, annotation ${i + 1}`;
    if (!success)
      problems.push(
        `${where}: expected image_id, category_id and a segmentation of polygons or run lengths`,
      );
    else if (!names.has(data.category_id))
      problems.push(`${where}: unknown category ${data.category_id}`);
    else if (!byPicture.has(data.image_id))
      problems.push(`${where}: unknown picture ${data.image_id}`);
    else byPicture.get(data.image_id)?.push(data);
  }
  return {
    pictures: [...images].sort((a, b) => naturalOrder(a.file_name, b.file_name)),
    byPicture,
    categories: names,
    problems,
  };
}

/** The samples: one per picture, or one per picture and category that has ImageNet classes. */
function entriesOf(
  { pictures, byPicture, categories }: Index,
  masks: 'category' | 'union',
  keepCrowds: boolean,
): Entry[] {
  return pictures.flatMap((picture): Entry[] => {
    const annotations = (byPicture.get(picture.id) ?? []).filter(
      ({ iscrowd }) => keepCrowds || !iscrowd,
    );
    if (masks === 'union') return [{ picture, annotations }];
    const ids = [...new Set(annotations.map(({ category_id }) => category_id))].sort(
      (a, b) => a - b,
    );
    return ids.flatMap((id) => {
      const category = categories.get(id) as string;
      const known = cocoToImagenet(category).length > 0;
      return known
        ? [
            {
              picture,
              annotations: annotations.filter(({ category_id }) => category_id === id),
              category,
            },
          ]
        : [];
    });
  });
}

function unionOf(annotations: readonly Annotation[], { width, height }: Picture): Mask {
  const data = new Uint8Array(width * height);
  for (const annotation of annotations) {
    const part = maskOf(annotation, width, height);
    for (const [i, value] of part.entries()) if (value !== 0) data[i] = 1;
  }
  return { width, height, data };
}

const boxesOf = (annotations: readonly Annotation[]): Box[] =>
  annotations.flatMap(({ bbox }) =>
    bbox ? [{ left: at(bbox, 0), top: at(bbox, 1), width: at(bbox, 2), height: at(bbox, 3) }] : [],
  );

function idOf({ picture, category }: Entry): string {
  const name = picture.file_name.replace(/\.[^.]*$/, '').replaceAll('/', '.');
  return category === undefined ? name : `${name}.${category.replaceAll(' ', '-')}`;
}

/** The protocol in words, with the parts of the data set that it leaves out. */
function protocolOf(
  masks: 'category' | 'union',
  crowd: 'include' | 'exclude',
  index: Index,
): string[] {
  if (masks === 'union')
    return [
      `Mask: the union of all annotations of the picture, of all categories; crowds ${crowd}d.`,
    ];
  const present = new Set(
    [...index.byPicture.values()]
      .flat()
      .map(({ category_id }) => index.categories.get(category_id) as string),
  );
  const without = [...present].filter((name) => cocoToImagenet(name).length === 0).sort();
  return [
    'Mask: the union of the annotations of one category; one sample per picture and category; ' +
      `crowds ${crowd}d.`,
    'Label: the ImageNet classes that count as the category, by the table in docs/datasets.md.',
    ...(without.length > 0
      ? [`Categories without an ImageNet class, left out: ${without.join(', ')}.`]
      : []),
  ];
}

/** Reads MS COCO's instance segmentations. */
export const coco = defineReader({
  name: 'coco',
  title: 'MS COCO instance segmentations',
  path: 'an instances JSON file, or a folder with instances.json',
  options: v.object({
    masks: option(
      v.picklist(['category', 'union']),
      'category',
      'one sample per picture and category, or one per picture with all annotations together ' +
        '(the published segmentation protocol)',
    ),
    crowd: option(
      v.picklist(['include', 'exclude']),
      'include',
      'whether annotations of crowds (iscrowd) belong to the mask',
    ),
    images: v.pipe(
      v.optional(v.string()),
      v.description(
        'folder of the pictures (default: images/ beside the file, or the set it is named after)',
      ),
    ),
  }),

  async open(path, { masks, crowd, images }) {
    const file = instancesPath(path);
    const text = await readText(file, "COCO's instances");
    const index = indexOf(file, parseInstances(text, file));
    const entries = entriesOf(index, masks, crowd === 'include');
    const folder = images ?? imagesFolder(file);
    return createDataset({
      name: `coco:${path}`,
      length: entries.length,
      provides: masks === 'union' ? ['mask', 'boxes'] : ['label', 'mask', 'boxes'],
      classes: 'imagenet',
      protocol: protocolOf(masks, crowd, index),
      index: await hashOf(text),
      problems: index.problems,
      idOf: (i) => idOf(at(entries, i)),
      async read(i) {
        const { picture, annotations, category } = at(entries, i);
        const image = await readImage(join(folder, picture.file_name));
        if (image.width !== picture.width || image.height !== picture.height)
          throw new FoveaError(
            'image',
            `${join(folder, picture.file_name)} is ${image.width}×${image.height}, its ` +
              `annotations ${picture.width}×${picture.height}`,
          );
        const label =
          category === undefined
            ? {}
            : { label: { name: category, indices: cocoToImagenet(category) } };
        return {
          id: idOf(at(entries, i)),
          image,
          ...label,
          mask: unionOf(annotations, picture),
          boxes: boxesOf(annotations),
        };
      },
    });
  },
});
