import type { Explanation } from 'fovea/web';
import { type Explainer, FoveaError } from 'fovea/worker';
import type { ShownMap } from './colour.ts';
import { messageOf } from './map-run.svelte.ts';
import { coarseOf, likeness } from './maths.ts';
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
  /** 1 minus the rank correlation of the maps of two methods, if two can be made. */
  readonly disagreement?: number;
}

/** What a list of findings can be sorted by; each is 0 … 1. */
export const REASONS = {
  suspicion: 'anything suspicious',
  outside: 'evidence off the object',
  border: 'evidence at the edge',
  disagreement: 'methods that disagree',
  mistake: 'confident mistakes',
} as const;

export type Reason = keyof typeof REASONS;

/** How suspicious a finding is for one reason, or for the strongest of them. */
export function suspicionOf(finding: Finding, reason: Reason): number {
  const { outside, border, disagreement = 0, isWrong, explanation } = finding;
  const mistake = isWrong ? explanation.target.probability : 0;
  if (reason === 'outside') return outside ?? 0;
  if (reason === 'border') return border;
  if (reason === 'disagreement') return disagreement;
  return reason === 'mistake' ? mistake : Math.max(outside ?? border, mistake, disagreement);
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

/** Many pictures, and quick maps of each. */
export class CohortRun {
  /** In the order of the pictures. */
  findings = $state.raw<readonly Finding[]>([]);
  /** How many pictures there are. */
  total = $state(0);
  share = $state(0);
  isOver = $state(false);
  problem = $state<string>();
  readonly #controller = new AbortController();

  async run(
    explainer: Explainer,
    load: readonly (() => Promise<Picture>)[],
    [method, second]: readonly string[],
  ): Promise<void> {
    this.total = load.length;
    for (const [i, open] of load.entries()) {
      if (this.#controller.signal.aborted) break;
      try {
        const picture = await open();
        const make = (name: string, target?: number) =>
          explainer.explain(picture.image, {
            method: name as 'rise',
            ...(target === undefined ? {} : { target }),
            imageName: picture.name,
            signal: this.#controller.signal,
          });
        const explanation = await make(method ?? 'occlusion');
        const other = second && (await make(second, explanation.target.index));
        this.#add(picture, explanation, other ? likeness(explanation.map, other.map) : undefined);
      } catch (error) {
        if (error instanceof FoveaError && error.code === 'cancelled') break;
        this.problem = messageOf(error);
      }
      this.share = (i + 1) / load.length;
    }
    this.isOver = true;
  }

  #add(picture: Picture, explanation: Explanation, alike: number | undefined): void {
    const { truth } = picture;
    const { border, outside } = sharesOf(explanation, truth?.mask);
    const isWrong = truth && truth.label !== explanation.target.label;
    const disagreement = alike === undefined ? undefined : Math.min(1, Math.max(0, 1 - alike));
    const finding = { picture, explanation, border, outside, isWrong, disagreement };
    this.findings = [...this.findings, finding];
  }

  cancel(): void {
    this.#controller.abort();
  }
}

/** The mean of maps, each between 0 and 1, over a coarse grid. */
export function averageMap(findings: readonly Finding[]): ShownMap | undefined {
  if (findings.length === 0) return undefined;
  const cells = findings.map(({ explanation }) => coarseOf(explanation.map));
  const sum = new Float32Array(cells[0]?.length ?? 0);
  for (const values of cells) {
    const most = values.reduce((a, b) => Math.max(a, b), 0);
    if (most > 0)
      for (let i = 0; i < sum.length; i++)
        sum[i] = (sum[i] ?? 0) + Math.max(0, values[i] ?? 0) / most / cells.length;
  }
  const side = Math.sqrt(sum.length);
  return { map: { shape: [side, side], data: sum }, signed: false };
}
