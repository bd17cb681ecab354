import type { Alternates } from '../alternates/index.ts';
import type { Explanation } from '../explanation.ts';
import type { Image } from '../image/image.ts';
import { pictureUri } from '../node/write-image.ts';
import { drawContactSheet, type SheetCell, type SheetRow } from '../visualize/contact-sheet.ts';
import { drawOutline } from '../visualize/contour.ts';
import { overlay } from '../visualize/overlay.ts';
import { formatShare } from './output.ts';
import { shortLabel } from './table.ts';

/** Candidates of a row. */
const SHOWN = 12;
const SIDE = 124;
/** The longest label of another class that is written whole. */
const LONGEST_LABEL = 14;

/** What each filler puts into the region, for the legend. */
const FILLER_WORDS: Readonly<Record<string, string>> = {
  blur: 'the region itself, blurred',
  elsewhere: 'another part of the same picture, which is shifted',
  texture: 'small squares from outside the region, in random order',
  recolour: 'the region itself in other colors',
  picture: 'a picture of --pictures',
  inpainted: 'what the model of --inpaint makes of the picture with the hole',
  generated: 'what the model of --inpaint makes of random numbers',
};

/** What a contact sheet shows. */
export interface SheetSource {
  /** Name of the picture. */
  readonly title: string;
  /** The picture as the model sees it, at the size of the model's input. */
  readonly picture: Image;
  readonly explanation: Explanation;
  readonly found: Alternates;
  readonly colormap?: string;
}

const uriOf = (picture: Image): Promise<string> => pictureUri(picture, 'jpeg', 84);

/** A mask with 1 inside a box. */
function boxMask({ width, height }: Image, box: Alternates['box']): Uint8Array {
  const [top, left, bottom, right] = box;
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    return y >= top && y < bottom && x >= left && x < right ? 1 : 0;
  });
}

/** The picture, its map, and the box whose contents are replaced. */
async function originalRow(source: SheetSource): Promise<SheetRow> {
  const { picture, explanation, found, colormap } = source;
  const { map, signed, target, manifest } = explanation;
  const outlined = drawOutline(picture, boxMask(picture, found.box));
  const cells: SheetCell[] = [
    {
      source: await uriOf(picture),
      title: `${shortLabel(target.label)} ${formatShare(target.probability)}`,
    },
    {
      source: await uriOf(overlay(picture, map, { signed, colormap })),
      title: `map of ${manifest.method}`,
    },
    { source: await uriOf(outlined), title: 'salient box' },
  ];
  return { title: 'The picture, its map, and the box around the salient region', cells };
}

/** The variations with one share of the box replaced. */
async function shareRow(
  { variations }: Alternates,
  { share, stay, candidates }: Alternates['accuracy'][number],
): Promise<SheetRow> {
  const cells: SheetCell[] = [];
  for (const each of variations.filter((one) => one.share === share).slice(0, SHOWN)) {
    const { picture, filler, probability, stays, winner } = each;
    const label = shortLabel(winner.label);
    const name = label.length > LONGEST_LABEL ? `${label.slice(0, LONGEST_LABEL - 1)}…` : label;
    cells.push({
      source: await uriOf(picture),
      title: `${filler} ${formatShare(probability)}`,
      detail: stays ? undefined : `→ ${name} ${formatShare(winner.probability)}`,
      good: stays,
    });
  }
  const percent = `${Math.round(100 * share)}% of the salient box replaced`;
  return { title: `${percent}: ${stay} of ${candidates} keep the prediction`, cells };
}

/** The legend: what the frames, the captions and the names of the fillers mean. */
function notesOf({ explanation, found }: SheetSource): string[] {
  const label = shortLabel(explanation.target.label);
  const fillers = [...new Set(found.variations.map(({ filler }) => filler))];
  return [
    `Green frame: ${label} is still the most probable class. Red frame: another class wins; ` +
      `its name and probability follow the arrow.`,
    `The first line below each picture names what replaces the region, and the probability ` +
      `of ${label}.`,
    ...fillers.map((filler) => `${filler}: ${FILLER_WORDS[filler] ?? 'your own filler'}.`),
  ];
}

/** The contact sheet of one picture as an SVG file. */
export async function alternatesSheet(source: SheetSource): Promise<string> {
  const rows = [await originalRow(source)];
  for (const share of source.found.accuracy) rows.push(await shareRow(source.found, share));
  const { width, height } = source.picture;
  const size = [SIDE, Math.round((SIDE * height) / width)] as const;
  return drawContactSheet({ title: source.title, rows, notes: notesOf(source), size });
}
