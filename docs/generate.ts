/** Writes the documents that are printed from code: `npm run -s docs`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatConfigurationMarkdown, formatEnvExample } from '../src/config-docs.ts';
import { loadDefinitions } from '../src/definitions-cache.ts';
import { formatAccess } from './access-page.ts';
import { formatCapabilityStatement } from './capability-statement.ts';
import { formatModel, formatNcpdp } from './ncpdp-page.ts';
import { formatSecurity } from './security-page.ts';
import { formatTelecomPage } from './telecom-page.ts';

const root = join(import.meta.dirname, '..');
const documents = {
  'docs/access.md': formatAccess(readFileSync(join(root, 'docs/access.md'), 'utf8')),
  'docs/ncpdp-telecom.md': formatTelecomPage(readFileSync(join(root, 'docs/ncpdp-telecom.md'), 'utf8')),
  'docs/configuration.md': formatConfigurationMarkdown(),
  'docs/ncpdp.md': formatNcpdp(readFileSync(join(root, 'docs/ncpdp.md'), 'utf8')),
  'docs/ncpdp-model.md': formatModel(),
  'docs/security.md': formatSecurity(),
  '.env.example': formatEnvExample(),
  'capability-statement.json': formatCapabilityStatement(await loadDefinitions(join(root, '.data/cache'))),
};
for (const [path, text] of Object.entries(documents)) writeFileSync(join(root, path), text);
console.error(`wrote ${Object.keys(documents).join(', ')}`);
