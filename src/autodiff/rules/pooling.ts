import { intAttribute, intsAttribute, isStatic } from '../../onnx/index.ts';
import { type GradientRule, type RuleContext, type RuleTable, refused, rule } from '../rule.ts';
import { interleave, padSpatial, spatial, type Window, windowOf } from './window.ts';

/** Windows of more elements than this would need as many nodes. */
const largestWindow = 4096;

/** The offsets of the elements of a window, or of its phases, which get a node each. */
function offsetsOf(at: RuleContext, sizes: readonly number[]): number[][] {
  if (sizes.reduce((product, size) => product * size, 1) > largestWindow)
    at.refuse(`a window, and strides, of at most ${largestWindow} elements`);
  return positions(sizes);
}

/** Every combination of one number below each size. */
function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (list, size) => list.flatMap((start) => Array.from({ length: size }, (_, i) => [...start, i])),
    [[]],
  );
}

/** Reads elements o * stride + offset of a padded tensor, for each window o. */
function offsetReader(
  at: RuleContext,
  padded: string,
  { strides, output, kernel, dilations }: Window,
): (offset: readonly number[]) => string {
  const { ops } = at;
  const [, channels, ...sizes] = ops.shape(padded);
  const axes = strides.map((_, i) => i + 2);
  const s = strides[0];
  if (typeof channels !== 'number' || strides.length !== 2 || s === 1 || strides[1] !== s) {
    const ends = (offset: readonly number[]): number[] =>
      offset.map((start, i) => start + (output[i] - 1) * strides[i] + 1);
    return (offset) => ops.slice(padded, axes, offset, ends(offset), strides);
  }
  // Taking every s-th element is slow; as channels of a smaller tensor the phases are cut out
  // whole.
  const length = kernel.map((size, i) => Math.floor(((size - 1) * dilations[i]) / s) + output[i]);
  const whole = padSpatial(
    ops,
    padded,
    [0, 0],
    length.map((size, i) => size * s - Number(sizes[i])),
  );
  const phases = ops.op('SpaceToDepth', [whole], { blocksize: s });
  return (offset) => {
    const phase = (offset[0] % s) * s + (offset[1] % s);
    const starts = [phase * channels, ...offset.map((position) => Math.floor(position / s))];
    return ops.slice(phases, [1, ...axes], starts, [
      starts[0] + channels,
      ...output.map((size, i) => starts[i + 1] + size),
    ]);
  };
}

/**
 * Adds up pieces that belong at o * stride + offset: pieces of the same phase (offset modulo
 * stride) are shifted against each other, phases are interleaved.
 */
function place(
  at: RuleContext,
  pieces: readonly { offset: readonly number[]; piece: string }[],
  window: Window,
): string {
  const { ops } = at;
  const { strides, output, kernel, dilations, begin, input } = window;
  const length = kernel.map(
    (size, i) => Math.floor(((size - 1) * dilations[i]) / strides[i]) + output[i],
  );
  const phases = new Map<string, string>();
  for (const { offset, piece } of pieces) {
    const shift = offset.map((position, i) => Math.floor(position / strides[i]));
    const shifted = padSpatial(
      ops,
      piece,
      shift,
      shift.map((count, i) => length[i] - output[i] - count),
    );
    const key = offset.map((position, i) => position % strides[i]).join();
    const earlier = phases.get(key);
    phases.set(key, earlier === undefined ? shifted : ops.add(earlier, shifted));
  }
  const zeros = (): string => ops.zerosLike([...phases.values()][0]);
  const phase = (index: readonly number[]): string => phases.get(index.join()) ?? zeros();
  const dx = joinPhases(at, strides, phase);
  const reach = length.map((size, i) => size * strides[i]);
  return padSpatial(
    ops,
    dx,
    begin.map((count) => -count),
    input.map((size, i) => size + begin[i] - reach[i]),
  );
}

function joinPhases(
  at: RuleContext,
  strides: readonly number[],
  phase: (index: readonly number[]) => string,
): string {
  if (strides.length === 2 && strides[0] === strides[1] && strides[0] > 1) {
    const stacked = at.ops.concat(offsetsOf(at, strides).map(phase), 1);
    return at.ops.op('DepthToSpace', [stacked], { blocksize: strides[0] });
  }
  offsetsOf(at, strides);
  const along = (axis: number, index: readonly number[]): string =>
    axis === strides.length
      ? phase(index)
      : interleave(
          at.ops,
          Array.from({ length: strides[axis] }, (_, i) => along(axis + 1, [...index, i])),
          axis + 2,
        );
  return along(0, []);
}

/**
 * The padding behind that the last window reaches into, with `ceil_mode` further than the node
 * says.
 */
function overhang({ strides, output, kernel, dilations, begin, input }: Window): number[] {
  return input.map((size, i) =>
    Math.max(
      0,
      (output[i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - begin[i] - size,
    ),
  );
}

const lowest = -3.4028234663852886e38;

/**
 * The maxima's positions in the whole of x, as the operator tells them: each dy is added where its
 * maximum was.
 */
function byIndices(at: RuleContext, dy: string): string {
  const { ops } = at;
  const x = at.input(0);
  const sum = ops.op(
    'ScatterElements',
    [ops.zerosLike(ops.reshape(x, [-1])), ops.reshape(at.output(1), [-1]), ops.reshape(dy, [-1])],
    {
      axis: 0,
      reduction: 'add',
    },
  );
  return ops.reshapeLike(sum, x);
}

/**
 * `rest` is dy where no earlier element of the window was the maximum; what it loses at an element
 * is that element's share.
 */
function byComparisons(at: RuleContext, dy: string): string {
  const { ops } = at;
  const window = windowOf(at, intsAttribute(at.node, 'kernel_shape', []));
  const y = at.output(0);
  const padded = padSpatial(ops, at.input(0), window.begin, overhang(window), lowest);
  const offsets = offsetsOf(at, window.kernel).map((position) =>
    position.map((i, axis) => i * window.dilations[axis]),
  );
  const read = offsetReader(at, padded, window);
  let rest = dy;
  const pieces = offsets.map((offset, i) => {
    if (i === offsets.length - 1) return { offset, piece: rest };
    const next = ops.mul(rest, ops.below(ops.sub(read(offset), y)));
    const piece = ops.sub(rest, next);
    rest = next;
    return { offset, piece };
  });
  return place(at, pieces, window);
}

/** y = max over a window: the first maximum of each window gets dy, as in PyTorch. */
const maxPool: GradientRule = (at, [dy]) => [
  at.ops.opset >= 16 ? byIndices(at, dy) : byComparisons(at, dy),
];

/** The most windows of which each gets a number of its own. */
const mostCounts = 2 ** 22;

/**
 * How many elements each window counts along one axis: those from `low` up to `high`, of the
 * `size` elements from o * stride - begin on.
 */
function countsAlong(at: RuleContext, window: Window, axis: number): number[] {
  const [size, stride, begin, end, length, windows, dilation] = (
    ['kernel', 'strides', 'begin', 'end', 'input', 'output', 'dilations'] as const
  ).map((name) => window[name][axis] ?? 0) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const counted = intAttribute(at.node, 'count_include_pad', 0) === 1;
  const [low, high] = counted ? [-begin, length + end] : [0, length];
  return Array.from({ length: windows }, (_, o) => {
    const start = o * stride - begin;
    // k with low <= start + k dilation < high
    const first = Math.max(0, Math.ceil((low - start) / dilation));
    const last = Math.min(size - 1, Math.ceil((high - start) / dilation) - 1);
    return Math.max(0, last - first + 1);
  });
}

/** How many elements each window of an average counts, or one number if all count the same. */
function divisors(at: RuleContext, window: Window): number[] | number {
  const along = window.kernel.map((_, axis) => countsAlong(at, window, axis));
  if (along.every((counts) => counts.every((count) => count === counts[0])))
    return along.reduce((product, [count = 1]) => product * count, 1);
  if (along.reduce((product, counts) => product * counts.length, 1) > mostCounts)
    at.refuse(`at most ${mostCounts} windows, or windows that all count as many elements`);
  return along.reduce<number[]>(
    (products, counts) => products.flatMap((product) => counts.map((count) => product * count)),
    [1],
  );
}

/** y = Σ x / n over a window: dx = Σ dy / n over the windows that an element is in. */
const averagePool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const window = windowOf(at, intsAttribute(at.node, 'kernel_shape', []));
  const { kernel, strides, dilations, begin, input, output } = window;
  const channels = at.shape(0)[1];
  if (typeof channels !== 'number') at.refuse('the number of its channels');
  const n = divisors(at, window);
  const size = kernel.reduce((total, k) => total * k, 1);
  const weighted =
    typeof n === 'number'
      ? n === size
        ? dy
        : ops.scale(dy, size / n)
      : ops.mul(
          dy,
          ops.constant(
            n.map((count) => size / count),
            [1, 1, ...output],
            ops.info(dy).type ?? 'float32',
          ),
        );
  // What the average of the windows around an element in dy is, since an average over windows is
  // its own transpose.
  const reach = kernel.map((k, i) => (k - 1) * dilations[i]);
  if (dilations.every((dilation) => dilation === 1) && strides.every((stride) => stride === 1)) {
    const padded = padSpatial(
      ops,
      weighted,
      reach.map((count, i) => count - begin[i]),
      input.map((length, i) => length + begin[i] - output[i]),
    );
    return [
      ops.op('AveragePool', [padded], { kernel_shape: kernel, strides: kernel.map(() => 1) }),
    ];
  }
  const c = channels as number;
  const weights = ops.constant(
    new Array<number>(c * size).fill(1 / size),
    [c, 1, ...kernel],
    'float32',
  );
  const dx = ops.op('ConvTranspose', [weighted, weights], {
    kernel_shape: kernel,
    strides,
    dilations,
    group: c,
  });
  return [
    padSpatial(
      ops,
      dx,
      begin.map((count) => -count),
      input.map((length, i) => length + begin[i] - ((output[i] - 1) * strides[i] + reach[i] + 1)),
    ),
  ];
};

/** Maps of at most this many pixels are spread by a convolution. */
const smallMap = 64;

/** y = Σ x / (H W): dx = dy / (H W) everywhere. */
const globalAveragePool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const [, channels, ...sizes] = at.shape(0);
  if (!isStatic(sizes)) {
    const axes = sizes.map((_, i) => i + 2);
    const ones = ops.expandLike(ops.scalar(1, dy), at.node.inputs[0]);
    return [ops.div(ops.expandLike(dy, at.node.inputs[0]), ops.reduceSum(ones, axes))];
  }
  const count = (sizes as readonly number[]).reduce((total, size) => total * size, 1);
  const float = ops.info(dy).type === 'float32';
  if (!float || sizes.length !== 2 || typeof channels !== 'number' || count > smallMap)
    return [ops.expandLike(ops.scale(dy, 1 / count), at.node.inputs[0])];
  // A padded 1 × 1 map convolved with a constant is that constant times its pixel everywhere, in
  // the layout of convolutions.
  const weights = ops.op('Expand', [
    ops.scalar(1 / count, dy),
    ops.ints([channels, 1, ...(sizes as readonly number[])]),
  ]);
  const pads = [...sizes, ...sizes].map((size) => Number(size) - 1);
  return [
    ops.op('Conv', [dy, weights], {
      kernel_shape: sizes as readonly number[],
      group: channels,
      pads,
    }),
  ];
};

/** y = max over H and W: the first maximum gets dy, as in PyTorch. */
const globalMaxPool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const size = spatial(at, at.shape(0), 'input').reduce((total, count) => total * count, 1);
  const flat = ops.op('Flatten', [ops.reshape(at.input(0), [0, 0, size])], { axis: 2 });
  const first = ops.op('ArgMax', [flat], { axis: 1, keepdims: 1 });
  const range = ops.constant(
    Array.from({ length: size }, (_, i) => i),
    [1, size],
    'int64',
  );
  const hit = ops.cast(ops.op('Equal', [range, first]), ops.info(dy).type ?? 'float32');
  return [ops.mul(ops.reshapeLike(hit, at.node.inputs[0]), dy)];
};

/** y = (Σ |x|^p)^(1/p): dx = dy sign(x) |x|^(p-1) / y^(p-1). */
const globalLpPool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const p = intAttribute(at.node, 'p', 2);
  const [x, y] = [at.input(0), at.output(0)];
  const power = (base: string): string => ops.op('Pow', [base, ops.scalar(p - 1, base)]);
  const ratio = ops.div(power(ops.op('Abs', [x])), power(y));
  return [ops.mul(ops.mul(ratio, ops.op('Sign', [x])), dy)];
};

/**
 * y = (Σ |x|^p)^(1/p) over a window: dx = sign(x) |x|^(p-1) Σ dy / y^(p-1) over the windows that
 * an element is in.
 */
const lpPool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const p = intAttribute(at.node, 'p', 2);
  const window = windowOf(at, intsAttribute(at.node, 'kernel_shape', []));
  const power = (base: string): string => ops.op('Pow', [base, ops.scalar(p - 1, base)]);
  const share = ops.div(dy, power(at.output(0)));
  const pieces = offsetsOf(at, window.kernel).map((position) => ({
    offset: position.map((i, axis) => i * window.dilations[axis]),
    piece: share,
  }));
  const x = at.input(0);
  return [
    ops.mul(ops.mul(place(at, pieces, window), power(ops.op('Abs', [x]))), ops.op('Sign', [x])),
  ];
};

/** Gradients of pooling. */
export const pooling: RuleTable = {
  MaxPool: rule(maxPool),
  AveragePool: rule(averagePool),
  LpPool: rule(lpPool),
  GlobalAveragePool: rule(globalAveragePool),
  GlobalMaxPool: rule(globalMaxPool),
  GlobalLpPool: rule(globalLpPool),
  MaxRoiPool: refused('pooling of regions belongs to detectors, not to classifiers'),
  RoiAlign: refused('pooling of regions belongs to detectors, not to classifiers'),
};
