import { describeCamReference } from './fixtures/reference.ts';

describeCamReference('grad-cam', 'GradCAM');
