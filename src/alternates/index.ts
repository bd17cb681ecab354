export {
  type Alternate,
  type Alternates,
  type AlternatesOptions,
  alternates,
} from './alternates.ts';
export { FILLERS, type Filler, pictureFiller } from './fillers.ts';
export { createInpainter, type Inpainter } from './inpainting.ts';
export { salientBox, salientRegion } from './salient-region.ts';
