/**
 * Makes the devices `webgpu` and `auto` known to `fovea/web`. The build of onnxruntime-web with
 * WebGPU is in a module of its own because bundlers copy its 27 MB into every page that names it.
 */
import { registerWebGpu } from './onnxruntime-web.ts';

registerWebGpu(() => import('onnxruntime-web/webgpu'));
