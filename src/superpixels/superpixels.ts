/** A picture divided into parts. Each pixel has the number of its part, 0 … count - 1. */
export interface Segmentation {
  /** [height · width], row by row. */
  readonly labels: Int32Array;
  readonly width: number;
  readonly height: number;
  readonly count: number;
}
