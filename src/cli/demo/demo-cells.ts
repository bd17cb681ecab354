import type { Scene } from '../../demo/scenes.ts';
import type { Image } from '../../image/image.ts';
import { pictureUri } from '../../node/write-image.ts';
import { drawOutline } from '../../visualize/contour.ts';
import { overlay } from '../../visualize/overlay.ts';
import type { ReportCell } from '../../visualize/report.ts';
import type { DemoMap } from './demo-scenes.ts';

/** A picture as the address of an image element. */
const dataUri = (picture: Image): Promise<string> => pictureUri(picture, 'webp', 90);

const OBJECT_LINE = { colour: [255, 255, 255], thickness: 2 } as const;
const TAG_LINE = { colour: [255, 210, 0], thickness: 2 } as const;

/** The scene with the outlines of the visible object and of the sticker, if there is one. */
function outlined(scene: Scene): Image {
  const object = drawOutline(scene.image, scene.mask, OBJECT_LINE);
  return scene.tag ? drawOutline(object, scene.tag.mask, TAG_LINE) : object;
}

/** The cells of a scene before those of its maps: the picture, and what is to be found. */
export async function truthCells(scene: Scene): Promise<ReportCell[]> {
  const visible =
    scene.visible < 0.995
      ? `${Math.round(100 * scene.visible)}% of it visible`
      : 'all of it visible';
  return [
    {
      source: await dataUri(scene.image),
      alt: `scene with a ${scene.className}`,
      title: 'picture',
    },
    {
      source: await dataUri(outlined(scene)),
      alt: `the ${scene.className} outlined`,
      title: 'ground truth',
      detail: scene.tag ? 'object white, sticker yellow' : visible,
    },
  ];
}

/** Where the peak of a map lies, in words: `object`, `sticker` or `elsewhere`. */
const placeOf = ({ peakOn }: DemoMap): string => (peakOn === 'tag' ? 'sticker' : peakOn);

/** Whether the place of the peak speaks for the map. Controls are not judged. */
function kindOf(scene: Scene, { method, peakOn }: DemoMap): 'good' | 'bad' | 'plain' {
  if (method.family === 'control') return 'plain';
  if (peakOn === 'object') return 'good';
  return scene.tag && peakOn === 'elsewhere' ? 'plain' : 'bad';
}

/** The cell of a map: its overlay, and where its peak lies. */
export async function mapCell(
  scene: Scene,
  map: DemoMap,
  title = map.method.title,
): Promise<ReportCell> {
  const place = map.peakOn === 'elsewhere' ? 'neither object nor sticker' : `the ${placeOf(map)}`;
  const hit = map.peakOn === 'object' ? 'hit' : 'miss';
  return {
    source: await dataUri(overlay(scene.image, map.explanation)),
    alt: `${title} map of the ${scene.className}: the peak lies on ${place}`,
    title,
    mark: { text: scene.tag ? placeOf(map) : hit, kind: kindOf(scene, map) },
    detail: scene.tag ? undefined : `IoU ${map.iou.toFixed(2)}`,
    peak: map.peak,
  };
}
