import { FoveaError } from '../../errors.ts';
import { didYouMean } from '../../near-names.ts';
import { type EvaluateFlags, evaluateCommand } from './evaluate.ts';

/** The options of `fovea segmentation`. */
export interface SegmentationFlags
  extends Omit<EvaluateFlags, 'data' | 'pics' | 'protocol' | 'metrics' | 'classes'> {
  readonly dataset: string;
}

/**
 * The published protocol for each data set: all objects of a picture together, VOC's void pixels as
 * object.
 */
const DATASETS: Readonly<
  Record<string, { readonly kind: string; readonly data: readonly string[] }>
> = {
  voc: { kind: 'voc', data: ['masks=union', 'void=object'] },
  coco: { kind: 'coco', data: ['masks=union', 'crowd=include'] },
  imagenet: { kind: 'imagenet-segmentation', data: [] },
};

/**
 * Pixel accuracy, mIoU, mAP and the row-wise mF1 of the tables that follow Chefer et al. (2021).
 */
const METRICS = ['pixel-accuracy', 'mean-iou', 'average-precision', 'f1:chefer-2021-rows'];

/** Whether the user sets how pictures are resized. */
const isResized = ({ preprocess = [] }: SegmentationFlags): boolean =>
  preprocess.some((setting) => setting.startsWith('resize='));

/** Sentences of the report about how pictures are read. */
function protocolOf(flags: SegmentationFlags, kind: string): string[] {
  return [
    isResized(flags)
      ? 'Pictures and masks are resized as requested; the published scripts stretch them to the ' +
        'input of the model.'
      : 'Pictures and masks are stretched to the input of the model, as in the published ' +
        'scripts, even if its own preprocessing crops.',
    ...(kind === 'coco'
      ? [
          'Pictures are normalized as the model expects; the published script for COCO does not ' +
            'normalize them.',
        ]
      : []),
  ];
}

/**
 * `fovea segmentation`: maps as segmentations, by the protocol of the IIA paper. Returns the exit
 * code.
 */
export async function segmentationCommand(
  args: readonly string[],
  flags: SegmentationFlags,
  signal: AbortSignal,
): Promise<number> {
  const [, name = '', path = ''] = /^([^:]*):?(.*)$/s.exec(flags.dataset) ?? [];
  const dataset = DATASETS[name];
  if (!dataset || path === '') {
    const hint = dataset ? '' : didYouMean(name, Object.keys(DATASETS));
    throw new FoveaError(
      'usage',
      `--dataset ${flags.dataset}: ${hint}expected voc:PATH, coco:PATH or imagenet:FILE`,
    );
  }
  const preprocess = isResized(flags)
    ? flags.preprocess
    : ['resize=stretch', ...(flags.preprocess ?? [])];
  const protocol = protocolOf(flags, dataset.kind);
  return evaluateCommand(
    args,
    {
      ...flags,
      preprocess,
      dataset: `${dataset.kind}:${path}`,
      data: dataset.data,
      protocol,
      metrics: METRICS,
      classes: 'predicted',
    },
    signal,
  );
}
