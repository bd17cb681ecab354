import { describeCamReference } from './fixtures/reference.ts';

describeCamReference('ablation-cam', 'AblationCAM', { tolerance: 1e-3 });
