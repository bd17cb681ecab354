/**
 * A color map of your own: black, then green.
 *
 *   fovea explain cat.jpg --plugin ./colormap.js --colormap night
 */
import { definePlugin } from 'fovea';

export const night = {
  name: 'night',
  color: (position) => `rgb(0, ${Math.round(255 * position)}, 0)`,
};

export default definePlugin({ colormaps: [night] });
