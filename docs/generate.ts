/** Writes the documents that are printed from code: `npm run -s docs`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatConfigurationMarkdown, formatEnvExample } from '../src/config.ts';

const root = join(import.meta.dirname, '..');
writeFileSync(join(root, 'docs/configuration.md'), formatConfigurationMarkdown());
writeFileSync(join(root, '.env.example'), formatEnvExample());
console.error('wrote docs/configuration.md and .env.example');
