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
import { denormalize } from '../../model/input/preprocessing.ts';
import { readImage } from '../../node/read-image.ts';
import { svgToPng } from '../../node/sag-png.ts';
import { writeFileAtomic } from '../../node/write-file.ts';
import { pictureUri } from '../../node/write-image.ts';
import { createNodeRuntime } from '../../runtime/onnxruntime-node.ts';
import { drawContactSheet } from '../../visualize/contact-sheet.ts';
import { FORMATS, requestMethods } from '../options.ts';
import { type Cell, createOutput, formatShare, formatTable } from '../output.ts';
import type { LoadedModel } from '../session.ts';
import {
  type Finished,
  itemsOf,
  type RunFlags,
  type RunRequest,
  runExplanations,
} from './explain.ts';

/** The options of `fovea alternates`. */
export interface AlternatesFlags extends RunFlags {
  readonly method: string;
  readonly target: string;
  readonly out: string;
  /** Per cent of the salient box. */
  readonly shares: readonly number[];
  readonly candidates: number;
  readonly threshold: number;
  readonly pictures?: readonly string[];
  readonly inpaint?: string;
}

interface Contents {
  readonly fillers: Readonly<Record<string, Filler>>;
  /** One where the model answers the same for the same hole. */
  readonly candidates: number;
  release(): Promise<void>;
}

/**
 * What stands in the region: the default fillers and the user's pictures, or what an ONNX model
 * answers.
 */
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

/** Candidates of a row on the contact sheet. */
const SHOWN = 12;

async function contactSheet(image: string, { variations, accuracy }: Alternates): Promise<string> {
  const rows = [];
  for (const { share, stay, candidates } of accuracy) {
    const cells = [];
    for (const { picture, filler, probability, stays } of variations
      .filter((each) => each.share === share)
      .slice(0, SHOWN)) {
      cells.push({
        source: await pictureUri(picture, 'jpeg', 84),
        title: `${filler} ${formatShare(probability)}`,
        good: stays,
      });
    }
    rows.push({
      title: `${Math.round(100 * share)}% of the salient box replaced: ${stay} of ${candidates} keep the prediction`,
      cells,
    });
  }
  return drawContactSheet({ title: image, rows });
}

async function vary(
  { record, explanation, prepared }: Finished,
  { model }: LoadedModel,
  flags: AlternatesFlags,
  contents: Contents,
  signal: AbortSignal,
) {
  const picture = prepared.image ?? denormalize(prepared.input, model.preprocessing);
  const found = await alternates(model, picture, explanation.map, {
    target: explanation.target.index,
    shares: flags.shares.map((share) => share / 100),
    candidates: contents.candidates,
    threshold: flags.threshold,
    fillers: contents.fillers,
    seed: flags.seed,
    batchSize: flags.batchSize,
    signal,
  });
  const stem = (record.files.json as string).replace(/\.[^.]+\.json$/, '');
  const files = { sheet: `${stem}.alternates.png`, list: `${stem}.alternates.json` };
  const variations = found.variations.map(({ share, filler, probability, stays }) => ({
    share,
    filler,
    probability,
    stays,
  }));
  await writeFileAtomic(
    files.list,
    `${JSON.stringify({ box: found.box, accuracy: found.accuracy, variations }, null, 2)}\n`,
  );
  await writeFileAtomic(
    files.sheet,
    await svgToPng(await contactSheet(basename(record.image), found)),
  );
  return { files, accuracy: found.accuracy };
}

/** `fovea alternates`. Answers the exit code. */
export async function alternatesCommand(
  inputs: readonly string[],
  flags: AlternatesFlags,
  signal: AbortSignal,
): Promise<number> {
  if (/^top:?\d+$/.test(flags.target) && !/^top:?1$/.test(flags.target)) {
    throw new FoveaError(
      'usage',
      `--target ${flags.target}: variations are of one class: expected top1, a class index or a label`,
    );
  }
  const output = createOutput(flags);
  const contents = await contentsOf(flags);
  const rows: Cell[][] = [];
  const totals = new Map<number, [stay: number, all: number]>();
  const run: RunRequest = {
    items: () => itemsOf(inputs, flags.target),
    flags: { ...flags, format: FORMATS },
    output,
    signal,
    methods: requestMethods([flags.method], flags.set),
    folder: flags.out,
    onResult: async (result, loaded) => {
      const { files, accuracy } = await vary(result, loaded, flags, contents, signal);
      for (const { share, stay, candidates } of accuracy) {
        const [before, all] = totals.get(share) ?? [0, 0];
        totals.set(share, [before + stay, all + candidates]);
      }
      output.record({ ...result.record, files: { ...result.record.files, ...files }, accuracy });
      rows.push([
        result.record.image,
        result.record.target.label,
        ...accuracy.map((each) => formatShare(each.accuracy)),
      ]);
    },
  };
  const code = await runExplanations(run, async () => {
    if (rows.length === 0) return;
    const all = [...totals].map(([share, [stay, candidates]]) => ({
      share,
      stay,
      candidates,
      accuracy: stay / candidates,
    }));
    const shares = flags.shares.map((share) => `${share}%`);
    const last: Cell[] = ['all', '', ...all.map(({ accuracy }) => formatShare(accuracy))];
    output.print(
      formatTable(['picture', 'class', ...shares], rows.length > 1 ? [...rows, last] : rows),
    );
    output.print(
      '\nAccuracy over the variations, by the share of the salient box that is replaced.',
    );
    output.record({ accuracy: all });
    await writeFileAtomic(
      join(flags.out, 'alternates.json'),
      `${JSON.stringify({ accuracy: all }, null, 2)}\n`,
    );
  });
  await contents.release();
  return code;
}
