import { FoveaError } from '../errors.ts';
import {
  type AttributeInput,
  attributeOf,
  type DataType,
  type Dim,
  dataTypeCode,
  freshNames,
  type Graph,
  type Initializer,
  inferNode,
  initializerOf,
  isStatic,
  type Node,
  namesOf,
  type Shape,
  type TensorInfo,
} from '../onnx/index.ts';

type Attributes = Readonly<Record<string, AttributeInput | undefined>>;

/**
 * Emits the nodes of a backward pass. Every tensor's shape is inferred as it is made, and what
 * operator sets spell differently (axes as attribute or input, …) is spelt here once, so rules
 * read as formulas.
 */
export interface Ops {
  /** Opset version of the default domain. */
  readonly opset: number;
  /** What is known of a tensor, of the forward pass or emitted. */
  info(name: string): TensorInfo;
  /** The shape of a tensor; an error if its rank is not known. */
  shape(name: string): Shape;
  /** A node with one output. */
  op(opType: string, inputs: readonly string[], attributes?: Attributes, domain?: string): string;
  /** A node with several outputs. */
  ops(
    opType: string,
    inputs: readonly string[],
    attributes: Attributes,
    outputs: number,
    domain?: string,
  ): string[];
  /** A constant of any shape; equal small ones are made once. */
  constant(values: readonly number[], shape: readonly number[], type: DataType): string;
  /** A number of the element type of `like`. */
  scalar(value: number, like: string): string;
  /** A vector of int64. */
  ints(values: readonly number[]): string;
  add(a: string, b: string): string;
  sub(a: string, b: string): string;
  mul(a: string, b: string): string;
  div(a: string, b: string): string;
  /** x times a number. */
  scale(x: string, factor: number): string;
  cast(x: string, type: DataType): string;
  /** A reduction with axes (none: all of them): `ReduceSum`, `ReduceMean`, … */
  reduce(opType: string, x: string, axes: readonly number[], keepDims?: boolean): string;
  reduceSum(x: string, axes: readonly number[], keepDims?: boolean): string;
  /**
   * To a shape of which one dimension may be symbolic (or -1); 0 copies the dimension of `x` at
   * that axis.
   */
  reshape(x: string, shape: Shape): string;
  /** To the shape of another tensor. */
  reshapeLike(x: string, like: string): string;
  /** Broadcast to the shape of another tensor. */
  expandLike(x: string, like: string): string;
  transpose(x: string, perm: readonly number[]): string;
  unsqueeze(x: string, axes: readonly number[]): string;
  squeeze(x: string, axes: readonly number[]): string;
  /** Elements `start`, `start + step`, … before `end` along each axis. */
  slice(
    x: string,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps?: readonly number[],
  ): string;
  /** With `before` and `after` elements of a value (0) around each axis. */
  pad(x: string, before: readonly number[], after: readonly number[], value?: number): string;
  concat(inputs: readonly string[], axis: number): string;
  /** 1 where x > threshold, 0 elsewhere, in the type of x. */
  above(x: string, threshold?: number): string;
  /** 1 where x < threshold, 0 elsewhere. */
  below(x: string, threshold?: number): string;
  /** Zeros of the shape and type of a tensor. */
  zerosLike(x: string): string;
  /** The reverse order along an axis of known size. */
  flip(x: string, axis: number): string;
  /**
   * By the gradient da of a tensor a: a, and two shorter tensors whose products have the same sums
   * along the last axis as a and da.
   */
  readonly shorterSums: Map<string, readonly [a: string, left: string, right: string]>;
}

/** What an emitter adds to a graph. */
export interface Emission {
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  /** Operator sets that the emitted nodes need beside those of the graph. */
  readonly opset: ReadonlyMap<string, number>;
}

/** Constants of more elements than this are not compared with earlier ones. */
const largestShared = 64;

/** The slope of a step. */
const steep = 2 ** 100;

/** An emitter over a graph; `known` is what inference knows of the graph's tensors, and grows. */
export function createOps(
  graph: Graph,
  known: Map<string, TensorInfo>,
): Ops & { emitted(): Emission; fresh(wish: string): string } {
  const fresh = freshNames(namesOf(graph));
  const nodes: Node[] = [];
  const initializers = new Map<string, Initializer>();
  const shared = new Map<string, string>();
  const opsets = new Map(graph.opset);
  const opset = graph.opset.get('') ?? 1;

  const ops = (
    opType: string,
    inputs: readonly string[],
    attributes: Attributes,
    count: number,
    domain = '',
  ): string[] => {
    const outputs = Array.from({ length: count }, () => fresh(`grad/${opType}`));
    const entries = Object.entries(attributes).filter(([, value]) => value !== undefined);
    const attributeMap = new Map(
      entries.map(([key, value]) => [key, attributeOf(key, value as AttributeInput)]),
    );
    const node: Node = {
      name: outputs[0],
      opType,
      domain,
      inputs: [...inputs],
      outputs,
      attributes: attributeMap,
      otherFields: [],
    };
    nodes.push(node);
    if (!opsets.has(domain)) opsets.set(domain, 1);
    const infos = inferNode(known, { opset: opsets }, node);
    for (const [i, output] of outputs.entries())
      known.set(output, infos[i] ?? { type: null, shape: null, value: null });
    return outputs;
  };
  const op: Ops['op'] = (opType, inputs, attributes = {}, domain = '') =>
    ops(opType, inputs, attributes, 1, domain)[0];

  const info = (name: string): TensorInfo =>
    known.get(name) ?? { type: null, shape: null, value: null };
  const shape = (name: string): Shape => {
    const found = info(name).shape;
    if (found === null)
      throw new FoveaError(
        'unsupported',
        `the shape of the tensor "${name}" is not known, which its gradient needs`,
      );
    return found;
  };

  const constant: Ops['constant'] = (values, dims, type) => {
    const key = values.length <= largestShared ? `${type}[${dims}]${values.join()}` : '';
    const earlier = shared.get(key);
    if (earlier !== undefined) return earlier;
    const name = fresh('grad/constant');
    initializers.set(name, initializerOf(name, type, dims, values));
    known.set(name, { type, shape: dims, value: values.length <= largestShared ? values : null });
    if (key !== '') shared.set(key, name);
    return name;
  };
  const floatType = (name: string): DataType => info(name).type ?? 'float32';

  /** An input from one opset on, an attribute before it. */
  const listOp = (
    opType: string,
    x: string,
    name: string,
    list: readonly number[],
    inputFrom: number,
    attributes: Attributes = {},
  ): string =>
    opset >= inputFrom
      ? op(opType, [x, self.ints(list)], attributes)
      : op(opType, [x], { [name]: list, ...attributes });

  const self: Ops = {
    opset,
    info,
    shape,
    op,
    ops,
    constant,
    scalar: (value, like) => constant([value], [], floatType(like)),
    ints: (values) => constant(values, [values.length], 'int64'),
    add: (a, b) => op('Add', [a, b]),
    sub: (a, b) => op('Sub', [a, b]),
    mul: (a, b) => op('Mul', [a, b]),
    div: (a, b) => op('Div', [a, b]),
    scale: (x, factor) => (factor === 1 ? x : op('Mul', [x, self.scalar(factor, x)])),
    cast: (x, type) => (info(x).type === type ? x : op('Cast', [x], { to: dataTypeCode(type) })),
    reduce(opType, x, axes, keepDims = true) {
      const from = opType === 'ReduceSum' ? 13 : 18;
      return listOp(opType, x, 'axes', axes, from, { keepdims: keepDims ? 1 : 0 });
    },
    reduceSum: (x, axes, keepDims) => self.reduce('ReduceSum', x, axes, keepDims),
    reshape(x, target) {
      const open = target.filter((dim) => typeof dim !== 'number');
      if (open.length > 1)
        throw new FoveaError(
          'internal',
          `a reshape to [${target}] has more than one open dimension`,
        );
      return op('Reshape', [
        x,
        self.ints(target.map((dim) => (typeof dim === 'number' ? dim : -1))),
      ]);
    },
    reshapeLike(x, like) {
      const [own, target] = [info(x).shape, shape(like)];
      if (own !== null && sameShape(own, target)) return x;
      const dims = target.map((dim, axis) =>
        typeof dim === 'string' && own?.[axis] === dim ? 0 : dim,
      );
      if (dims.filter((dim) => typeof dim !== 'number').length <= 1)
        return withShape(self.reshape(x, dims), target);
      return withShape(op('Reshape', [x, op('Shape', [like])]), target);
    },
    expandLike(x, like) {
      const [own, target] = [shape(x), shape(like)];
      if (sameShape(own, target)) return x;
      // Where x has the symbolic size already, 1 leaves it.
      const dims = target.map(
        (dim, axis): Dim =>
          typeof dim === 'number' ? dim : own[axis - target.length + own.length] === dim ? 1 : null,
      );
      const size = isStatic(dims) ? self.ints(dims) : op('Shape', [like]);
      return withShape(op('Expand', [x, size]), target);
    },
    transpose: (x, perm) =>
      perm.every((axis, i) => axis === i) ? x : op('Transpose', [x], { perm }),
    unsqueeze: (x, axes) => (axes.length === 0 ? x : listOp('Unsqueeze', x, 'axes', axes, 13)),
    squeeze: (x, axes) => (axes.length === 0 ? x : listOp('Squeeze', x, 'axes', axes, 13)),
    slice(x, axes, starts, ends, steps) {
      const stepped = steps?.some((step) => step !== 1) ?? false;
      if (opset >= 10)
        return op('Slice', [
          x,
          self.ints(starts),
          self.ints(ends),
          self.ints(axes),
          ...(stepped ? [self.ints(steps ?? [])] : []),
        ]);
      if (!stepped) return op('Slice', [x], { axes, starts, ends });
      return axes.reduce(
        (rest, axis, i) => everyNth(rest, axis, starts[i], ends[i], steps?.[i] ?? 1),
        x,
      );
    },
    pad(x, before, after, value = 0) {
      if ([...before, ...after].every((count) => count === 0)) return x;
      const pads = [...before, ...after];
      if (opset < 11) return op('Pad', [x], { pads, value: { type: 'float', value } });
      return op('Pad', [x, self.ints(pads), ...(value === 0 ? [] : [self.scalar(value, x)])]);
    },
    concat: (inputs, axis) => (inputs.length === 1 ? inputs[0] : op('Concat', inputs, { axis })),
    above: (x, threshold = 0) => step(x, 'Greater', threshold),
    below: (x, threshold = 0) => step(x, 'Less', threshold),
    zerosLike(x) {
      const dims = shape(x);
      const type = floatType(x);
      if (isStatic(dims))
        return withShape(op('Expand', [constant([0], [], type), self.ints(dims)]), dims);
      return withShape(op('Expand', [constant([0], [], type), op('Shape', [x])]), dims);
    },
    flip(x, axis) {
      const size = shape(x)[axis];
      if (typeof size !== 'number')
        throw new FoveaError(
          'unsupported',
          `the size of axis ${axis} of the tensor "${x}" must be known for its gradient`,
        );
      const reversed = Array.from({ length: size }, (_, i) => size - 1 - i);
      return size === 1 ? x : op('Gather', [x, self.ints(reversed)], { axis });
    },
    shorterSums: new Map(),
  };

  /**
   * A slope of 2^100 is a step to float32, exact since a power of two loses no digits; unlike a
   * comparison it stays in the runtime's blocked layout.
   */
  function step(x: string, comparison: 'Greater' | 'Less', threshold: number): string {
    const [alpha, beta] =
      comparison === 'Greater' ? [steep, -threshold * steep] : [-steep, threshold * steep];
    const fits = Math.abs(threshold) < 2 ** 27 && floatType(x) === 'float32';
    if (fits)
      return op('HardSigmoid', [x], {
        alpha: { type: 'float', value: alpha },
        beta: { type: 'float', value: beta === 0 ? 0 : beta },
      });
    return self.cast(op(comparison, [x, self.scalar(threshold, x)]), floatType(x));
  }

  /** Slices have no steps before opset 10. */
  function everyNth(x: string, axis: number, start: number, end: number, step: number): string {
    const size = shape(x)[axis];
    if (typeof size !== 'number')
      throw new FoveaError(
        'unsupported',
        `the size of axis ${axis} of the tensor "${x}" must be known for its gradient`,
      );
    const indices: number[] = [];
    for (let i = start; step > 0 ? i < Math.min(end, size) : i > end; i += step) indices.push(i);
    return op('Gather', [x, self.ints(indices)], { axis });
  }

  /** Records what a tensor's shape is where inference cannot tell. */
  function withShape(name: string, dims: Shape): string {
    known.set(name, { ...info(name), shape: dims });
    return name;
  }

  return { ...self, fresh, emitted: () => ({ nodes, initializers, opset: opsets }) };
}

/** Whether two shapes are known to be equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim !== null && dim === b[axis]);
}
