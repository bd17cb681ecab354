import { describeCamReference } from './fixtures/reference.ts';

describeCamReference('layer-cam', 'LayerCAM');
