import { describeCamReference } from './fixtures/reference.ts';

describeCamReference('score-cam', 'ScoreCAM', { tolerance: 1e-3 });
