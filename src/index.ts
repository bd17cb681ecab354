/**
 * Fovea's front door, for Node and browsers alike, with all methods by name. `fovea/node` and
 * `fovea/web` add loading models and pictures.
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
