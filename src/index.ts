/**
 * The main entry of Fovea, for Node and browsers, with all methods by name. `fovea/node` and
 * `fovea/web` can also load models and pictures.
 *
 * ```ts
 * import { explain, loadModel, readImage } from 'fovea/node';
 * const model = await loadModel('demo-cnn');
 * const explanation = await explain(model, await readImage('photo.jpg'), { method: 'rise' });
 * ```
 */
import './methods/index.ts';

export * from './core.ts';
export { definePlugin, type Plugin, registerPlugin } from './plugin.ts';
