import { type Graph, type GraphBuilder, graphBuilder } from '../../onnx/index.ts';
import type { RuntimeTensor } from '../../runtime/runtime.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { ClassifierInput } from './find-io.ts';

/** A graph that runs before a classifier and makes its pictures. */
export interface Stage {
  /** Unique for the stage. */
  readonly name: string;
  /** Emits the nodes that make float32 pictures [n, C, H, W] from the inputs of the stage. */
  pictures(b: GraphBuilder, input: ClassifierInput): string;
}

/** Name of the tensor that a stage passes to the model. */
export const STAGE_OUTPUT = 'fovea/picture';

/** Name of the input that takes a batch of pictures, in the plain stage. */
export const BATCH = 'fovea/batch';

/** The stage that takes pictures, and changes only their layout and type. */
export const plain: Stage = {
  name: 'plain',
  pictures: (b, { channels, height, width }) =>
    b.input(BATCH, 'float32', ['n', channels, height, width]),
};

/** A tensor as the runtime takes it. */
export const float32 = ({ shape, data }: Tensor): RuntimeTensor => ({
  type: 'float32',
  shape,
  data,
});

/** The feeds of the plain stage. */
export function batchFeeds(batch: Tensor): Record<string, RuntimeTensor> {
  return { [BATCH]: float32(batch) };
}

/** The first opset with QuantizeLinear. */
const QUANTIZES = 10;

/** From float32 [n, C, H, W] to the layout and element type that the model takes. */
function adapt(b: GraphBuilder, picture: string, { layout, type }: ClassifierInput): string {
  const placed =
    layout === 'NHWC' ? b.add('Transpose', [picture], { perm: [0, 2, 3, 1] }) : picture;
  if (type !== 'uint8')
    return b.add(
      'Cast',
      [placed],
      { to: type === 'float16' ? 10 : type === 'float64' ? 11 : 1 },
      STAGE_OUTPUT,
    );
  // Rounds and cuts as below, and a gradient passes it: it is that of the pixels before rounding.
  if (b.opset >= QUANTIZES) {
    const unit = [b.constant([1], []), b.constant([0], [], 'uint8')];
    return b.add('QuantizeLinear', [placed, ...unit], {}, STAGE_OUTPUT);
  }
  const rounded = b.add('Floor', [b.add('Add', [placed, b.constant([0.5], [1])])]);
  const clipped = b.add('Min', [
    b.add('Max', [rounded, b.constant([0], [1])]),
    b.constant([255], [1]),
  ]);
  return b.add('Cast', [clipped], { to: 2 }, STAGE_OUTPUT);
}

/** The graph of a stage: pictures in the layout and type of the model's input. */
export function stageGraph(stage: Stage, input: ClassifierInput, opset: number): Graph {
  const b = graphBuilder({ opset, name: stage.name });
  b.output(adapt(b, stage.pictures(b, input), input), input.type, null);
  return b.finish();
}
