import { describeCamReference } from './fixtures/reference.ts';

describeCamReference('hires-cam', 'HiResCAM');
