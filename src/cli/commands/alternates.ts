import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  type Alternates,
  alternates,
  createInpainter,
  FILLERS,
  type Filler,
  pictureFiller,
} from '../../alternates/index.ts';
import { FoveaError, messageOf } from '../../errors.ts';
import type { Image } from '../../image/image.ts';
import { denormalize, fitImage } from '../../model/input/preprocessing.ts';
import { readImage } from '../../node/read-image.ts';
import { svgToPng } from '../../node/sag-png.ts';
import { writeFileAtomic } from '../../node/write-file.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { alternatesSheet } from '../alternates-sheet.ts';
import { explainFiles } from '../explain-files.ts';
import { createOutput, formatShare } from '../output.ts';
import type { Result } from '../result-files.ts';
import { attempt, findItems, oneTargetOf, type Run, type RunFlags, withRun } from '../run.ts';
import { FORMATS } from '../shared-options.ts';
import { type Column, numbersOf, rowPrinter, shortLabel } from '../table.ts';
import { pictureColumns } from './explain.ts';

/** The options of `fovea alternates`. */
export interface AlternatesFlags extends RunFlags {
  /** Percentages of the salient box. */
  readonly shares: readonly number[];
  readonly candidates: number;
  readonly threshold: number;
  readonly pictures?: readonly string[];
  readonly inpaint?: string;
}

interface Contents {
  readonly fillers: Readonly<Record<string, Filler>>;
  /** One if the model returns the same picture for the same hole. */
  readonly candidates: number;
  release(): Promise<void>;
}

/** The fillers of the region: the default ones and the user's pictures, or an ONNX model. */
async function contentsOf({
  pictures = [],
  inpaint,
  candidates,
  threads,
}: AlternatesFlags): Promise<Contents> {
  if (inpaint !== undefined) {
    const bytes = await readFile(inpaint).catch((cause) => {
      throw new FoveaError('usage', `--inpaint ${inpaint} cannot be read: ${messageOf(cause)}`, {
        cause,
      });
    });
    const { fill, varies, release } = await createInpainter(
      inpaint,
      bytes,
      await createNodeRuntime({ threads }),
    );
    return {
      fillers: varies ? { generated: fill } : { inpainted: fill },
      candidates: varies ? candidates : 1,
      release,
    };
  }
  const own: Image[] = [];
  for (const path of pictures) own.push(await readImage(path));
  return {
    fillers: own.length > 0 ? { ...FILLERS, picture: pictureFiller(own) } : FILLERS,
    candidates,
    release: async () => {},
  };
}

/** Makes the variations of one picture and writes the contact sheet and the list. */
async function vary(
  { model, seed, batchSize, signal, colormap }: Run,
  { record, explanation, prepared, stem }: Result,
  flags: AlternatesFlags,
  contents: Contents,
) {
  const picture = prepared.image ?? denormalize(prepared.input, model.preprocessing);
  const found = await alternates(model, picture, explanation.map, {
    target: explanation.target.index,
    shares: flags.shares.map((share) => share / 100),
    candidates: contents.candidates,
    threshold: flags.threshold,
    fillers: contents.fillers,
    seed,
    batchSize,
    signal,
  });
  const name = stem.slice(0, -`.${record.method}`.length);
  const files = { sheet: `${name}.alternates.png`, list: `${name}.alternates.json` };
  const { box, accuracy } = found;
  const variations = found.variations.map(({ picture: _, ...numbers }) => numbers);
  const text = JSON.stringify({ box, accuracy, variations }, null, 2);
  await writeFileAtomic(files.list, `${text}\n`);
  const sheet = await alternatesSheet({
    title: basename(record.image),
    picture: fitImage(picture, model.preprocessing),
    explanation,
    found,
    colormap,
  });
  await writeFileAtomic(files.sheet, await svgToPng(sheet));
  return { files, accuracy };
}

/** How many variations keep the prediction, for each share, over all pictures. */
function createTotals() {
  const totals = new Map<number, { stay: number; candidates: number }>();
  return {
    add(accuracy: Alternates['accuracy']): void {
      for (const { share, stay, candidates } of accuracy) {
        const before = totals.get(share) ?? { stay: 0, candidates: 0 };
        totals.set(share, {
          stay: before.stay + stay,
          candidates: before.candidates + candidates,
        });
      }
    },
    list: () =>
      [...totals].map(([share, { stay, candidates }]) => ({
        share,
        stay,
        candidates,
        accuracy: stay / candidates,
      })),
  };
}

/** A column for each share of the salient box. */
const shareColumns = ({ shares }: AlternatesFlags): Column[] =>
  shares.map((share) => numbersOf(`${share}%`, '100.0%'.length));

const TITLE =
  'Share of the variations that keep the prediction, by how much of the salient box is replaced:\n';

/** `fovea alternates`. Returns the exit code. */
export async function alternatesCommand(
  inputs: readonly string[],
  flags: AlternatesFlags,
  signal: AbortSignal,
): Promise<number> {
  const targets = oneTargetOf(flags, 'variations are of one class');
  if (flags.methods && flags.methods.length > 1)
    throw new FoveaError('usage', '--methods: expected one method, which gives the salient region');
  const output = createOutput(flags);
  const contents = await contentsOf(flags);
  const counted = { pictures: 0 };
  const totals = createTotals();
  const find = () => findItems(inputs, targets, output);
  const code = await withRun(
    {
      ...{ flags, output, signal, methods: ['oise'], formats: FORMATS, find },
      otherCalls: flags.shares.length * contents.candidates,
    },
    async (run) => {
      const rows = rowPrinter([...pictureColumns(run), ...shareColumns(flags)], output.print);
      for await (const result of explainFiles(run)) {
        const { record } = result;
        await attempt(run, record.image, async () => {
          const { files, accuracy } = await vary(run, result, flags, contents);
          totals.add(accuracy);
          output.record({ ...record, files: { ...record.files, ...files }, accuracy });
          const shares = accuracy.map((each) => formatShare(each.accuracy));
          const { label, probability } = record.target;
          if (rows.isEmpty) output.print(TITLE);
          rows.add([record.image, shortLabel(label), formatShare(probability), ...shares]);
          counted.pictures += 1;
        });
      }
    },
    async ({ model }) => {
      if (counted.pictures === 0) return;
      const all = totals.list();
      const shares = all.map(({ share, accuracy }) => `${100 * share}%: ${formatShare(accuracy)}`);
      if (counted.pictures > 1) output.print(`\nAll pictures: ${shares.join(', ')}`);
      output.print(`\nModel: ${model.name}`);
      output.record({ accuracy: all });
      const text = JSON.stringify({ accuracy: all }, null, 2);
      await writeFileAtomic(join(flags.out, 'alternates.json'), `${text}\n`);
    },
  );
  await contents.release();
  return code;
}
