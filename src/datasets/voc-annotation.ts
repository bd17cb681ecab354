import { readFile } from 'node:fs/promises';
import { XMLParser } from 'fast-xml-parser';
import * as v from 'valibot';
import { FoveaError, messageOf } from '../errors.ts';
import type { Box } from './dataset.ts';

/** VOC's largest annotation has about 50 kB, so a far larger file is not an annotation. */
const MOST_BYTES = 2 ** 20;

const number = v.pipe(v.string(), v.trim(), v.regex(/^\d{1,9}(\.\d{1,9})?$/), v.transform(Number));
const objectSchema = v.object({
  name: v.pipe(v.string(), v.trim()),
  bndbox: v.object({
    xmin: number,
    ymin: number,
    xmax: number,
    ymax: number,
  }),
});
const fileSchema = v.object({
  annotation: v.union([
    v.object({
      object: v.optional(v.array(v.unknown()), []),
    }),
    v.literal(''),
  ]),
});

const isMissing = (cause: unknown): boolean =>
  (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';

async function readXml(path: string): Promise<unknown> {
  const bytes = await readFile(path);
  if (bytes.length > MOST_BYTES)
    throw new FoveaError('image', `it has ${bytes.length} bytes: expected at most ${MOST_BYTES}`);
  const parser = new XMLParser({
    ignoreAttributes: true,
    parseTagValue: false,
    isArray: (_name, path) => path === 'annotation.object',
  });
  return parser.parse(new TextDecoder().decode(bytes), true);
}

/**
 * The boxes of an annotation file of PASCAL VOC, for one class or for all; empty if there is no
 * such file. Objects whose box has no numbers are left out. VOC counts pixels from 1 and includes
 * both ends. The returned box counts from 0 and excludes its right and lower edge.
 * @param name - the class of the boxes; all classes if absent
 * @throws FoveaError `image` if the file cannot be read or is not such an annotation.
 */
export async function readBoxes(path: string, name?: string): Promise<Box[]> {
  let xml: unknown;
  try {
    xml = await readXml(path);
  } catch (cause) {
    if (isMissing(cause)) return [];
    const [reason = ''] = messageOf(cause).split('\n');
    throw new FoveaError('image', `${path} is not an annotation of VOC: ${reason.slice(0, 200)}`, {
      cause,
    });
  }
  const { success, output: file } = v.safeParse(fileSchema, xml);
  if (!success)
    throw new FoveaError('image', `${path} is not an annotation of VOC: expected <annotation>`);
  const objects = file.annotation === '' ? [] : file.annotation.object;
  return objects.flatMap((object) => {
    const { success, output } = v.safeParse(objectSchema, object);
    if (!success || (name !== undefined && output.name !== name)) return [];
    const { xmin, ymin, xmax, ymax } = output.bndbox;
    return [{ left: xmin - 1, top: ymin - 1, width: xmax - xmin + 1, height: ymax - ymin + 1 }];
  });
}
