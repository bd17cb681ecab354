/**
 * Makes the devices `webgpu` and `auto` known to `fovea/web`. They are in a module of their own
 * because bundlers copy the 27 MB of onnxruntime-web with WebGPU into every page that names it.
 */
import { registerDevices } from '../runtime/onnxruntime-web.ts';
import { registerCheckedModels } from './load-model.ts';

registerDevices(async (options) =>
  (await import('./devices/checked-runtime.ts')).createCheckedRuntime(options),
);
registerCheckedModels(async (source, options) =>
  (await import('./devices/checked-model.ts')).createCheckedModel(source, options),
);
