/** Messages written for the tests, below fixtures/. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const FIXTURES = join(import.meta.dirname, '../../fixtures');

export const fixture = (path: string): Buffer => readFileSync(join(FIXTURES, path));
