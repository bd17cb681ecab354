/**
 * Registers the devices `webgpu` and `auto` for `fovea/web`. The build of onnxruntime-web with
 * WebGPU is imported in a separate module, because bundlers copy its 27 MB into every page that
 * imports it.
 */
import { registerWebGpu } from './onnxruntime-web.ts';

registerWebGpu(() => import('onnxruntime-web/webgpu'));
