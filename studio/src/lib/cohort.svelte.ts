import type { Explanation } from 'fovea/web';
import { type Explainer, FoveaError } from 'fovea/worker';
import type { Picture } from './pictures.ts';

/** One picture of many, and what is suspicious about it. */
export interface Finding {
  readonly picture: Picture;
  readonly explanation: Explanation;
  /** Share of the evidence in a frame around the picture. */
  readonly border: number;
  /** Share of the evidence outside the object, if it is known where the object is. */
  readonly outside?: number;
  /** Whether the model is wrong, if it is known what the picture shows. */
  readonly isWrong?: boolean;
  /** 0 … 1: what the list is sorted by. */
  readonly suspicion: number;
}

/** The frame is so wide, as a share of each side. */
const FRAME = 0.12;

/** Shares of the positive evidence that lie in a frame, and outside a mask. */
function sharesOf({ map }: Explanation, mask: Uint8Array | undefined) {
  const [height = 0, width = 0] = map.shape;
  let [total, border, outside] = [0, 0, 0];
  const [down, across] = [FRAME * height, FRAME * width];
  for (let i = 0; i < map.data.length; i++) {
    const value = Math.max(0, map.data[i] ?? 0);
    const [y, x] = [Math.floor(i / width), i % width];
    total += value;
    if (y < down || x < across || y >= height - down || x >= width - across) border += value;
    if (mask && !mask[i]) outside += value;
  }
  const share = (part: number) => (total > 0 ? part / total : 0);
  const fits = mask?.length === map.data.length;
  return { border: share(border), outside: fits ? share(outside) : undefined };
}

/** Many pictures, one quick map each, the most suspicious first. */
export class CohortRun {
  findings = $state.raw<readonly Finding[]>([]);
  share = $state(0);
  isOver = $state(false);
  problem = $state<string>();
  readonly #controller = new AbortController();

  async run(
    explainer: Explainer,
    load: readonly (() => Promise<Picture>)[],
    method: string,
  ): Promise<void> {
    for (const [i, open] of load.entries()) {
      if (this.#controller.signal.aborted) break;
      try {
        const picture = await open();
        const explanation = await explainer.explain(picture.image, {
          method: method as 'rise',
          imageName: picture.name,
          signal: this.#controller.signal,
        });
        this.#add(picture, explanation);
      } catch (error) {
        if (error instanceof FoveaError && error.code === 'cancelled') break;
        this.problem = error instanceof Error ? error.message : String(error);
      }
      this.share = (i + 1) / load.length;
    }
    this.isOver = true;
  }

  #add(picture: Picture, explanation: Explanation): void {
    const { truth } = picture;
    const { border, outside } = sharesOf(explanation, truth?.mask);
    const { target } = explanation;
    const isWrong = truth && truth.label !== target.label;
    const wrong = isWrong ? target.probability : 0;
    const suspicion = Math.max(outside ?? border, wrong);
    const finding = { picture, explanation, border, outside, isWrong, suspicion };
    this.findings = [...this.findings, finding].sort((a, b) => b.suspicion - a.suspicion);
  }

  cancel(): void {
    this.#controller.abort();
  }
}

/** The mean of maps of one size, each between 0 and 1. */
export function averageMap(findings: readonly Finding[]) {
  const [first] = findings;
  if (!first) return undefined;
  const { shape } = first.explanation.map;
  const sum = new Float32Array(first.explanation.map.data.length);
  for (const { explanation } of findings) {
    const most = explanation.map.data.reduce((a, b) => Math.max(a, b), 0);
    if (most > 0)
      explanation.map.data.forEach((value, i) => {
        sum[i] = (sum[i] ?? 0) + Math.max(0, value) / most / findings.length;
      });
  }
  return { map: { shape, data: sum }, signed: false };
}
