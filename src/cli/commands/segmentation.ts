import { FoveaError } from '../../errors.ts';
import { type EvaluateFlags, evaluateCommand } from './evaluate.ts';

/** The options of `fovea segmentation`. */
export interface SegmentationFlags extends Omit<EvaluateFlags, 'data' | 'pics' | 'metrics' | 'target'> {
  readonly dataset: string;
}

/** The published protocol for each data set: all objects of a picture together, VOC's void pixels as object. */
const DATASETS: Readonly<Record<string, { readonly kind: string; readonly data: readonly string[] }>> = {
  voc: { kind: 'voc', data: ['masks=union', 'void=object'] },
  coco: { kind: 'coco', data: ['masks=union', 'crowd=include'] },
  imagenet: { kind: 'imagenet-segmentation', data: [] },
};

/** Pixel accuracy, mIoU, mAP and the row-wise mF1 of the tables that follow Chefer et al. (2021). */
const METRICS = ['pixel-accuracy', 'mean-iou', 'average-precision', 'f1:chefer-2021-rows'];

/** `fovea segmentation`: maps as segmentations, by the protocol of the IIA paper. Answers the exit code. */
export async function segmentationCommand(flags: SegmentationFlags, signal: AbortSignal): Promise<number> {
  const [, name, path] = /^([^:]*):?(.*)$/s.exec(flags.dataset) ?? [];
  const dataset = DATASETS[name];
  if (!dataset || path === '') throw new FoveaError('usage', `--dataset ${flags.dataset}: expected voc:PATH, coco:PATH or imagenet:FILE`);
  return evaluateCommand({ ...flags, dataset: `${dataset.kind}:${path}`, data: dataset.data, metrics: METRICS, target: 'predicted' }, signal);
}
