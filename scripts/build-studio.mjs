// Builds the studio's page into dist/studio, from the built library.
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { drawScenes } from './studio-scenes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
await drawScenes(`${root}studio/public/scenes`);
await build({ configFile: `${root}studio/vite.config.js`, logLevel: 'warn' });
