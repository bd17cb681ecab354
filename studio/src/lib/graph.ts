import type { Direction } from './arrows.ts';

/** A structured attention graph, as `manifest.extras.sag` holds it. */
export interface Sag {
  readonly grid: readonly [rows: number, columns: number];
  readonly baseline: 'zero';
  readonly target: { readonly index: number; readonly label: string };
  readonly probability: number;
  readonly threshold: number;
  readonly explanations: readonly {
    readonly patches: readonly number[];
    readonly confidence: number;
  }[];
  readonly nodes: readonly SagNode[];
  readonly edges: readonly {
    readonly from: number;
    readonly to: number;
    readonly removed: number;
  }[];
  readonly truncated: boolean;
}

export interface SagNode {
  readonly id: number;
  readonly patches: readonly number[];
  readonly confidence: number;
  readonly root: boolean;
}

/** Where things of a drawn graph are, in pixels. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly (SagNode & { readonly x: number; readonly y: number })[];
  readonly edges: readonly {
    readonly key: string;
    readonly path: string;
    readonly x: number;
    readonly y: number;
    readonly removed: number;
  }[];
}

export const NODE = { width: 84, height: 104 } as const;

/** The patches of one set that another lacks. */
export const lacks = (a: readonly number[], b: readonly number[]): number[] =>
  a.filter((patch) => !b.includes(patch));

interface Point {
  readonly x: number;
  readonly y: number;
}

/** The nearest point in a direction: what lies aside counts three times as far. */
export function nearest<P extends Point>(
  points: readonly P[],
  from: Point,
  [dx, dy]: Direction,
): P | undefined {
  const distance = ({ x, y }: Point): number => {
    const [right, down] = [x - from.x, y - from.y];
    const ahead = dx * right + dy * down;
    return ahead > 1 ? ahead + 3 * Math.abs(dx * down + dy * right) : Number.POSITIVE_INFINITY;
  };
  const near = points.filter((point) => distance(point) < Number.POSITIVE_INFINITY);
  return near.sort((a, b) => distance(a) - distance(b))[0];
}
