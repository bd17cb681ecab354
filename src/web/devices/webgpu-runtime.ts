import { type Node, readModel } from '../../onnx/index.ts';
import { createOnnxRuntime, type OnnxRuntime } from '../../runtime/onnxruntime.ts';
import { webRuntimeName } from '../../runtime/onnxruntime-web.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/**
 * Whether WebGPU takes a node and then fails to run it: MaxPool that also says where each largest
 * value is, which the gradient of MaxPool needs.
 */
const needsCpu = ({ opType, outputs: [, indices = ''] }: Node): boolean =>
  opType === 'MaxPool' && indices !== '';

/** WebGPU of a loaded build of onnxruntime-web. */
export const webGpuOf = (ort: OnnxRuntime): Runtime =>
  createOnnxRuntime(ort, {
    name: webRuntimeName(ort, 'webgpu'),
    sessionOf(model) {
      const names = readModel(model)
        .graph.nodes.filter(needsCpu)
        .map(({ name }) => name);
      const provider = { name: 'webgpu', forceCpuNodeNames: names } as const;
      return { executionProviders: [names.length > 0 ? provider : provider.name] };
    },
  });
