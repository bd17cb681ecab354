/** A direction on the screen. */
export type Direction = readonly [x: number, y: number];

/** Where the arrow keys lead. */
export const ARROWS: Readonly<Record<string, Direction>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
