import { describeCamReference } from './fixtures/reference.ts';

describeCamReference('grad-cam-plus-plus', 'GradCAMPlusPlus');
