import { describeCamReference } from './fixtures/reference.ts';

describeCamReference('xgrad-cam', 'XGradCAM');
