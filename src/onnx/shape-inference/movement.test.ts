import { describe, expect, it } from 'vitest';
import { checkShapes } from '../fixtures/run.ts';
import { type GraphBuilder, graphBuilder, inferShapes, modelOf } from '../index.ts';

type Build = (b: GraphBuilder, x: string) => unknown;

const ints = (b: GraphBuilder, ...values: number[]): string =>
  b.constant(values, [values.length], 'int64');
const scalar = (b: GraphBuilder, value: number): string => b.constant(value, [], 'int64');

function movementCase(
  title: string,
  opset: number,
  build: Build,
  dims: (number | string)[] = ['batch', 4, 8, 10],
): void {
  it(`agrees with ONNX Runtime on ${title}, opset ${opset}`, async () => {
    const b = graphBuilder({ opset });
    build(b, b.input('x', 'float32', dims));
    const report = await checkShapes(modelOf(b.finish()), { batch: 3 });
    expect(report.wrong).toEqual([]);
    expect(report.unknown).toEqual([]);
    expect(report.right).toBeGreaterThan(0);
  });
}

describe('inferShapes on operators that move elements', () => {
  movementCase('Transpose', 13, (b, x) => [
    b.add('Transpose', [x]),
    b.add('Transpose', [x], { perm: [0, 2, 3, 1] }),
  ]);
  movementCase('Reshape', 14, (b, x) => {
    b.add('Reshape', [x, ints(b, 0, -1)]);
    b.add('Reshape', [x, ints(b, -1, 80)]);
    b.add('Reshape', [x, ints(b, -1, 2, 2, 80)]);
    b.add('Reshape', [x, ints(b, -1)]);
    b.add('Reshape', [b.add('Reshape', [x, ints(b, -1, 10)]), ints(b, -1, 32, 10)]);
  });
  movementCase('Flatten', 13, (b, x) =>
    [0, 1, 2, -1].map((axis) => b.add('Flatten', [x], { axis })),
  );
  movementCase('Squeeze, Unsqueeze with axes as attribute', 11, (b, x) => {
    const y = b.add('Unsqueeze', [x], { axes: [0, -1] });
    b.add('Squeeze', [y], { axes: [0, -1] });
  });
  movementCase('Squeeze, Unsqueeze with axes as input', 13, (b, x) => {
    const y = b.add('Unsqueeze', [x, ints(b, 0, 3)]);
    b.add('Squeeze', [y, ints(b, 0, -3)]);
  });
  movementCase('Squeeze of all axes of size 1', 13, (b, x) => b.add('Squeeze', [x]), [1, 4, 1, 10]);
  movementCase('Expand, Tile', 13, (b, x) => {
    const y = b.add('ReduceMean', [x], { axes: [2, 3] });
    b.add('Expand', [y, ints(b, 1, 1, 8, 10)]);
    b.add('Expand', [y, ints(b, 2, 1, 1, 1, 5)]);
    b.add('Tile', [x, ints(b, 2, 1, 3, 1)]);
  });
  movementCase('Concat', 13, (b, x) =>
    [0, 1, -1].map((axis) => b.add('Concat', [x, x, x], { axis })),
  );
  movementCase('Split with sizes as attribute', 11, (b, x) => {
    b.add('Split', [x], { axis: 1 }, 2);
    b.add('Split', [x], { axis: 2, split: [1, 2, 5] }, 3);
  });
  movementCase('Split with sizes as input', 13, (b, x) =>
    b.add('Split', [x, ints(b, 1, 2, 5)], { axis: 2 }, 3),
  );
  movementCase('Split into parts of different sizes', 18, (b, x) =>
    b.add('Split', [x], { axis: 3, num_outputs: 3 }, 3),
  );
  movementCase('Pad with pads as attribute', 10, (b, x) =>
    b.add('Pad', [x], { pads: [0, 0, 1, 2, 0, 0, -1, 4] }),
  );
  movementCase('Pad with pads as input', 18, (b, x) => {
    b.add('Pad', [x, ints(b, 0, 0, 1, 2, 0, 0, 3, 4)], { mode: 'reflect' });
    b.add('Pad', [x, ints(b, 1, 2, 3, 4), '', ints(b, 2, -1)]);
  });
  movementCase('Resize', 11, (b, x) => {
    const none = b.constant(new Float32Array(0), [0]);
    b.add('Resize', [x, none, b.constant([1, 1, 2, 1.5])], { mode: 'nearest' });
  });
  movementCase('Resize with sizes and axes', 18, (b, x) => {
    b.add('Resize', [x, '', '', ints(b, 5, 7)], { mode: 'linear', axes: [2, 3] });
    b.add('Resize', [x, '', b.constant([0.6, 2.5])], { mode: 'linear', axes: [2, 3] });
    b.add('Resize', [x, '', '', ints(b, 5, 7)], {
      axes: [2, 3],
      keep_aspect_ratio_policy: 'not_larger',
    });
    b.add('Resize', [x, '', '', ints(b, 5, 7)], {
      axes: [2, 3],
      keep_aspect_ratio_policy: 'not_smaller',
    });
  });
  movementCase('Resize of opset 10', 10, (b, x) => b.add('Resize', [x, b.constant([1, 1, 2, 3])]));
  movementCase('Upsample', 9, (b, x) => b.add('Upsample', [x, b.constant([1, 1, 2, 3])]));
  movementCase('Upsample with scales as attribute', 7, (b, x) =>
    b.add('Upsample', [x], { scales: [1, 1, 2, 3] }),
  );
  movementCase('DepthToSpace, SpaceToDepth', 13, (b, x) =>
    ['DepthToSpace', 'SpaceToDepth'].map((op) => b.add(op, [x], { blocksize: 2 })),
  );
  movementCase('Dropout with its mask', 13, (b, x) => b.add('Dropout', [x], {}, 2));
  movementCase('Trilu', 14, (b, x) => b.add('Trilu', [x]));
});

describe('inferShapes on operators that index elements', () => {
  movementCase('Slice with attributes', 9, (b, x) =>
    b.add('Slice', [x], { starts: [1, -3], ends: [3, 2 ** 63], axes: [1, 3] }),
  );
  movementCase('Slice with inputs', 13, (b, x) => {
    b.add('Slice', [x, ints(b, 1, 0), ints(b, 100, -1), ints(b, 2, 3), ints(b, 2, 3)]);
    b.add('Slice', [x, ints(b, -1), ints(b, -100), ints(b, -1), ints(b, -1)]);
    b.add('Slice', [x, ints(b, 20), ints(b, 0), ints(b, -1), ints(b, -3)]);
    b.add('Slice', [x, ints(b, 0), ints(b, 2 ** 31 - 1), ints(b, 0)]);
  });
  movementCase('Gather', 13, (b, x) => {
    b.add('Gather', [x, scalar(b, -1)], { axis: 2 });
    b.add('Gather', [x, b.constant([0, 1, 2, 3, 0, 1], [2, 3], 'int64')], { axis: 1 });
  });
  movementCase('GatherElements, GatherND, ScatterND, ScatterElements', 13, (b, x) => {
    const indices = b.constant(new BigInt64Array(24), [1, 2, 3, 4]);
    b.add('GatherElements', [x, indices], { axis: 2 });
    b.add('GatherND', [x, b.constant(new BigInt64Array(6), [3, 2])]);
    b.add('ScatterND', [x, b.constant([0, 0, 0, 0], [1, 4], 'int64'), b.constant([1])]);
    b.add('ScatterElements', [x, indices, b.constant(new Float32Array(24), [1, 2, 3, 4])], {
      axis: 2,
    });
  });
  movementCase('OneHot', 13, (b) => {
    const depth = scalar(b, 5);
    b.add('OneHot', [b.constant([1, 2, 3], [3], 'int64'), depth, b.constant([0, 1])]);
    b.add('OneHot', [b.constant([1, 2, 3], [3], 'int64'), depth, b.constant([0, 1])], { axis: 0 });
  });
});

describe('inferShapes on arithmetic on shapes', () => {
  movementCase('the batch size in Shape, Gather, Unsqueeze, Concat and Reshape', 13, (b, x) => {
    const n = b.add('Gather', [b.add('Shape', [x]), scalar(b, 0)]);
    const parts = [b.add('Unsqueeze', [n, ints(b, 0)]), ints(b, 2), ints(b, -1)];
    b.add('Reshape', [x, b.add('Concat', parts, { axis: 0 })]);
  });
  movementCase('windows that multiply the batch size, and divide it again', 13, (b, x) => {
    const [n, h] = [0, 2].map((axis) => b.add('Gather', [b.add('Shape', [x]), scalar(b, axis)]));
    const windows = b.add('Mul', [n, b.add('Div', [h, scalar(b, 3)])]);
    const y = b.add('Reshape', [
      x,
      b.add('Concat', [b.add('Unsqueeze', [windows, ints(b, 0)]), ints(b, -1)], { axis: 0 }),
    ]);
    const m = b.add('Gather', [b.add('Shape', [y]), scalar(b, 0)]);
    const back = b.add('Unsqueeze', [b.add('Div', [m, scalar(b, 2)]), ints(b, 0)]);
    b.add('Reshape', [y, b.add('Concat', [back, ints(b, 4, 8, 10)], { axis: 0 })]);
  });
  movementCase('Expand of a class token with Where and Equal', 13, (b, x) => {
    const n = b.add('Unsqueeze', [
      b.add('Gather', [b.add('Shape', [x]), scalar(b, 0)]),
      ints(b, 0),
    ]);
    const wanted = b.add('Concat', [n, ints(b, -1, -1)], { axis: 0 });
    const ones = b.add('ConstantOfShape', [ints(b, 3)], {
      value: {
        name: '',
        type: 'int64',
        dims: [1],
        data: { kind: 'raw', bytes: new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]) },
        otherFields: [],
      },
    });
    const shape = b.add('Where', [
      b.add('Equal', [wanted, b.add('Mul', [ones, scalar(b, -1)])]),
      ones,
      wanted,
    ]);
    b.add('Expand', [b.constant(new Float32Array(6), [1, 1, 6]), shape]);
  });
  movementCase('sizes from Shape, Cast, Mul, Floor and Slice for Resize', 11, (b, x) => {
    const shape = b.add('Shape', [x]);
    const spatial = b.add('Cast', [b.add('Slice', [shape, ints(b, 2), ints(b, 4)])], { to: 1 });
    const doubled = b.add(
      'Cast',
      [b.add('Floor', [b.add('Mul', [spatial, b.constant([2, 2.5])])])],
      { to: 7 },
    );
    const sizes = b.add('Concat', [b.add('Slice', [shape, ints(b, 0), ints(b, 2)]), doubled], {
      axis: 0,
    });
    b.add(
      'Resize',
      [x, b.constant(new Float32Array(0), [0]), b.constant(new Float32Array(0), [0]), sizes],
      {
        mode: 'linear',
        coordinate_transformation_mode: 'pytorch_half_pixel',
      },
    );
  });
  movementCase('Range up to a size, ReduceProd, Size', 13, (b, x) => {
    const shape = b.add('Shape', [x]);
    b.add('Range', [scalar(b, 0), b.add('Gather', [shape, scalar(b, 3)]), scalar(b, 2)]);
    b.add('Range', [scalar(b, 0), b.add('Gather', [shape, scalar(b, 0)]), scalar(b, 1)]);
    b.add('Reshape', [x, b.add('ReduceProd', [shape])]);
    b.add('Reshape', [x, b.add('Unsqueeze', [b.add('Size', [x]), ints(b, 0)])]);
  });
  movementCase('part of a Shape', 15, (b, x) =>
    b.add('ConstantOfShape', [b.add('Shape', [x], { start: 1, end: -1 })]),
  );

  it('follows the branch of an If, or keeps the common dimensions of both branches', () => {
    const branch = (size: number) => {
      const b = graphBuilder({ opset: 13, name: `branch ${size}` });
      b.output(b.add('Expand', ['y', b.constant([size, 1, 1], [3], 'int64')], {}, `out${size}`));
      return b.finish();
    };
    const build = (condition: boolean | null) => {
      const b = graphBuilder({ opset: 13 });
      const c = condition === null ? b.input('c', 'bool', []) : b.constant(condition, [], 'bool');
      b.input('y', 'float32', [1, 4, 5]);
      b.add('If', [c], { then_branch: branch(2), else_branch: branch(3) }, 'z');
      return inferShapes(b.finish()).get('z');
    };
    expect(build(true)).toEqual({ type: 'float32', shape: [2, 4, 5] });
    expect(build(false)).toEqual({ type: 'float32', shape: [3, 4, 5] });
    expect(build(null)).toEqual({ type: 'float32', shape: [null, 4, 5] });
  });

  it('uses only the declared shapes for the outputs of an unknown operator', () => {
    const b = graphBuilder({ opset: { '': 17, vendor: 1 } });
    b.add('Mystery', [b.input('x', 'float32', [1, null])], {}, 'y', { domain: 'vendor' });
    b.add('Relu', [b.add('Mystery', ['y'], {}, 'z', { domain: 'vendor' })], {}, 'w');
    const graph = b.finish();
    expect(inferShapes(graph).get('y')).toEqual({ type: null, shape: null });
    const declared = { name: 'z', type: 'float32' as const, shape: [1, 7], otherFields: [] };
    const types = inferShapes({ ...graph, valueInfo: new Map([['z', declared]]) });
    expect(types.get('w')).toEqual({ type: 'float32', shape: [1, 7] });
    expect(types.get('x')).toEqual({ type: 'float32', shape: [1, 'x:1'] });
  });

  it('uses given input shapes in place of the declared ones', () => {
    const b = graphBuilder({ opset: 17 });
    b.add('Relu', [b.input('x', 'float32', ['n', 3])], {}, 'y');
    expect(inferShapes(b.finish(), { inputs: { x: [5, 3] } }).get('y')).toEqual({
      type: 'float32',
      shape: [5, 3],
    });
  });
});
