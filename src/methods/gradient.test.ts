import { describePixelReference } from './fixtures/reference.ts';

describePixelReference('gradient', 'gradient', () => ({}), 1e-2);
