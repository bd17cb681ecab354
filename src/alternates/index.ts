export {
  type Alternate,
  type Alternates,
  type AlternatesOptions,
  alternates,
  salientBox,
  salientRegion,
} from './alternates.ts';
export { FILLERS, type Filler, pictureFiller } from './fillers.ts';
export { createInpainter, type Inpainter } from './inpainting.ts';
