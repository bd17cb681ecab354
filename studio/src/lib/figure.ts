import { colormap, overlay } from 'fovea/visualize';
import type { Explanation } from 'fovea/web';
import { colormapOf, type Look, type Scale, shownScale } from './colour.ts';
import { percent, shortLabel } from './maths.ts';
import { blobOf, contextOf, createCanvas, type Picture, toImageData } from './pictures.ts';

/** Longest side of each of the two pictures of a figure. */
const SIDE = 480;
const MARGIN = 24;
const BAR = 14;

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

export async function dataUri(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** The picture with the map over it, as the command line draws it. */
export function overlaid(
  { image }: Picture,
  explanation: Explanation,
  look: Look,
): HTMLCanvasElement {
  const scale = shownScale(explanation);
  const drawn = overlay(image, explanation, { colormap: colormapOf(look, scale.signed) });
  const canvas = createCanvas(drawn.width, drawn.height);
  contextOf(canvas).putImageData(toImageData(drawn), 0, 0);
  return canvas;
}

/** A number of a scale, short. */
export const tick = (value: number): string =>
  value === 0 ? '0' : Number(value.toPrecision(2)).toString().replace('-', '−');

/** The colors of a scale with its numbers, as a part of an SVG. */
function barSvg(scale: Scale, look: Look, x: number, y: number, width: number): string {
  const { table } = colormap(colormapOf(look, scale.signed));
  const stops = Array.from({ length: 33 }, (_, i) => {
    const at = 3 * Math.round((255 * i) / 32);
    const colour = `rgb(${table[at]},${table[at + 1]},${table[at + 2]})`;
    return `<stop offset="${((100 * i) / 32).toFixed(1)}%" stop-color="${colour}"/>`;
  });
  const [left, right] = scale.signed ? ['against', 'for'] : ['little', 'much evidence'];
  const numbers = [
    { at: x, anchor: 'start', text: `${tick(scale.low)} ${left}` },
    ...(scale.signed ? [{ at: x + width / 2, anchor: 'middle', text: '0' }] : []),
    { at: x + width, anchor: 'end', text: `${right} ${tick(scale.high)}` },
  ];
  return [
    `<defs><linearGradient id="scale">${stops.join('')}</linearGradient></defs>`,
    `<rect x="${x}" y="${y}" width="${width}" height="${BAR}" fill="url(#scale)" stroke="#888"/>`,
    ...numbers.map(
      ({ at, anchor, text }) =>
        `<text x="${at}" y="${y + BAR + 16}" text-anchor="${anchor}" font-size="12">${text}</text>`,
    ),
  ].join('');
}

/** A figure: the picture, the picture with the map, and the scale of its colors. */
export async function figureSvg(
  picture: Picture,
  explanation: Explanation,
  title: string,
  look: Look,
): Promise<string> {
  const { width, height } = picture.image;
  const share = SIDE / Math.max(width, height);
  const [w, h] = [Math.round(width * share), Math.round(height * share)];
  const total = [2 * w + 3 * MARGIN, h + 150] as const;
  const sources = await Promise.all(
    [picture.canvas, overlaid(picture, explanation, look)].map(async (canvas) =>
      dataUri(await blobOf(canvas)),
    ),
  );
  const { manifest, target } = explanation;
  const lead = `${manifest.model.name} says ${shortLabel(target.label)} with ${percent(target.probability)}`;
  const images = sources.map(
    (source, i) =>
      `<image x="${MARGIN + i * (w + MARGIN)}" y="72" width="${w}" height="${h}" href="${source}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${total[0]}" height="${total[1]}"`,
    ` viewBox="0 0 ${total[0]} ${total[1]}" font-family="system-ui, sans-serif" fill="#1b1c20">`,
    `<title>${escaped(`${title}. ${lead}.`)}</title>`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="${MARGIN}" y="36" font-size="20" font-weight="600">${escaped(title)}</text>`,
    `<text x="${MARGIN}" y="58" font-size="13">${escaped(`${lead}. Map: ${manifest.method}, seed ${manifest.seed}.`)}</text>`,
    ...images,
    barSvg(shownScale(explanation), look, 2 * MARGIN + w, 72 + h + 14, w),
    `<text x="${MARGIN}" y="${72 + h + 26}" font-size="12">${escaped(picture.name)}</text>`,
    `<text x="${MARGIN}" y="${72 + h + 44}" font-size="11" fill="#5a5c66">model sha256 ${manifest.model.fingerprint.slice(0, 16)}, Fovea ${manifest.fovea}</text>`,
    '</svg>',
  ].join('');
}

/** An SVG as a PNG, twice as large. */
export async function pngOf(svg: string): Promise<Blob> {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  try {
    await image.decode();
    const canvas = createCanvas(2 * image.width, 2 * image.height);
    contextOf(canvas).drawImage(image, 0, 0, canvas.width, canvas.height);
    return await blobOf(canvas);
  } finally {
    URL.revokeObjectURL(image.src);
  }
}
