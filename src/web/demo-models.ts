/**
 * Registers the demo models for `loadModel` of `fovea/web`. They are in a separate module, because
 * bundlers copy their files (10 MB) into every page that imports it.
 */
import { registerDemoModels } from './load-model.ts';

// Each is written out, because bundlers recognize an asset only in `new URL` of a literal.
registerDemoModels({
  'demo-cnn': {
    model: () => new URL('../demo/models/demo-cnn.onnx', import.meta.url),
    json: () => new URL('../demo/models/demo-cnn.json', import.meta.url),
  },
  'demo-cnn-biased': {
    model: () => new URL('../demo/models/demo-cnn-biased.onnx', import.meta.url),
    json: () => new URL('../demo/models/demo-cnn-biased.json', import.meta.url),
  },
  'demo-vit': {
    model: () => new URL('../demo/models/demo-vit.onnx', import.meta.url),
    json: () => new URL('../demo/models/demo-vit.json', import.meta.url),
  },
});
