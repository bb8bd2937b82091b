/** Worker thread of `definitions-cache.ts`: compiles the bundles of the folder it is given and posts the JSON text. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { compileDefinitions, type RawBundle } from './standards/fhir/definitions.ts';

const BUNDLES = [
  'profiles-types.json',
  'profiles-resources.json',
  'search-parameters.json',
  'valuesets.json',
  'v3-codesystems.json',
  'v2-tables.json',
];

// The bundles come from the pinned definitions package, whose shape is fixed.
const read = (name: string): RawBundle => JSON.parse(readFileSync(join(workerData, name), 'utf8')) as RawBundle;
parentPort?.postMessage(JSON.stringify(compileDefinitions(BUNDLES.map(read))));
