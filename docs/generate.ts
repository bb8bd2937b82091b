/** Writes the documents that are printed from code: `npm run -s docs`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatConfigurationMarkdown, formatEnvExample } from '../src/config.ts';
import { loadDefinitions } from '../src/definitions-cache.ts';
import { formatCapabilityStatement } from './capability-statement.ts';

const root = join(import.meta.dirname, '..');
const documents = {
  'docs/configuration.md': formatConfigurationMarkdown(),
  '.env.example': formatEnvExample(),
  'capability-statement.json': formatCapabilityStatement(await loadDefinitions(join(root, '.data/cache'))),
};
for (const [path, text] of Object.entries(documents)) writeFileSync(join(root, path), text);
console.error(`wrote ${Object.keys(documents).join(', ')}`);
