import type { Model } from '../../model/model.ts';
import type { DeviceReport } from '../../runtime/device-report.ts';

/** The model, with what is said of its device in all its copies. */
export function withDevice(model: Model, device: DeviceReport): Model {
  const { inside } = model;
  return {
    ...model,
    device,
    inside: inside && {
      ...inside,
      randomized: async (layers, random) =>
        withDevice(await inside.randomized(layers, random), device),
    },
  };
}
